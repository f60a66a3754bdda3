#include "base/cpu_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <set>

namespace cae {
namespace {

constexpr size_t kAlign = 64;                      // a cache line, and the widest vector
constexpr size_t kHugePage = size_t{2} << 20;      // segments are multiples of it
constexpr size_t kLargeBlock = size_t{256} << 10;  // from here on, all threads share a pool
constexpr size_t kKeptWhole = size_t{4} << 10;     // a rest smaller than this is not split off

/// Addresses taken from the system at once, or more for a larger block; memory comes with the first touch. Many for
/// large blocks: what is left at the end of a segment is too little for the next one, and lies idle.
constexpr size_t kSegment = size_t{32} << 20, kLargeSegment = size_t{1} << 30;

size_t roundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

/// Advises about the pages that lie whole in a piece of memory. Advice that is not taken changes nothing but the time.
[[maybe_unused]] void adviseInside(void* begin, size_t bytes, int advice) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first = roundUp(reinterpret_cast<uintptr_t>(begin), page);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(begin) + bytes) / page * page;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, advice);
}

class Pool;

/// In front of every block; neighbours in memory know each other, so that free ones become one.
struct alignas(kAlign) Block {
  Pool* pool;
  Block *before, *after;  // in the segment; null at its ends
  size_t size;            // bytes behind this header
  bool isFree;

  void* data() { return this + 1; }
  static Block* of(void* data) { return static_cast<Block*>(data) - 1; }
};
static_assert(sizeof(Block) == kAlign);

/// Smallest first, then lowest: a request takes the first that is large enough.
struct BySize {
  using is_transparent = void;
  bool operator()(const Block* a, const Block* b) const { return a->size != b->size ? a->size < b->size : a < b; }
  bool operator()(const Block* a, size_t size) const { return a->size < size; }
};

class Pool {
 public:
  void* take(size_t bytes) {
    const size_t size = roundUp(bytes, kAlign);
    const std::lock_guard lock(mutex_);
    const auto found = free_.lower_bound(size);
    Block* block = nullptr;
    if (found != free_.end()) {
      block = *found;
      free_.erase(found);
    } else {
      block = newSegment(size);
    }
    block->isFree = false;
    splitOff(block, size);
    ++use_.blocks;
    use_.bytes += static_cast<int64_t>(block->size);
    return block->data();
  }

  void give(Block* block) {
    const std::lock_guard lock(mutex_);
    --use_.blocks;
    use_.bytes -= static_cast<int64_t>(block->size);
    block->isFree = true;
    if (block->after != nullptr && block->after->isFree) {
      free_.erase(block->after);
      swallowNext(block);
    }
    if (block->before != nullptr && block->before->isFree) {
      block = block->before;
      free_.erase(block);
      swallowNext(block);
    }
    free_.insert(block);
  }

  void release() {
    const std::lock_guard lock(mutex_);
    for (auto it = free_.begin(); it != free_.end();) {
      Block* block = *it;
      const bool isWholeSegment = block->before == nullptr && block->after == nullptr;
      it = isWholeSegment ? free_.erase(it) : std::next(it);
      if (isWholeSegment) {
        munmap(block, block->size + sizeof(Block));
      } else {
        adviseInside(block->data(), block->size, MADV_DONTNEED);
      }
    }
  }

  CpuMemoryUse use() {
    const std::lock_guard lock(mutex_);
    return use_;
  }

 private:
  Block* newSegment(size_t size) {
    // One huge page more than needed, cut to alignment.
    const auto map = [](size_t bytes) {
      constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
      return mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    };
    const size_t least = roundUp(size + sizeof(Block), kHugePage);
    size_t bytes = std::max(least, size >= kLargeBlock ? kLargeSegment : kSegment);
    void* raw = map(bytes);
    if (raw == MAP_FAILED) raw = map(bytes = least);  // where addresses themselves are scarce or counted
    if (raw == MAP_FAILED) throw std::bad_alloc();
    auto* begin = static_cast<std::byte*>(raw);
    auto* aligned = reinterpret_cast<std::byte*>(roundUp(reinterpret_cast<uintptr_t>(begin), kHugePage));
    if (aligned != begin) munmap(begin, static_cast<size_t>(aligned - begin));
    const size_t behind = static_cast<size_t>(begin + kHugePage - aligned);
    if (behind != 0) munmap(aligned + bytes, behind);
#if defined(MADV_HUGEPAGE)
    madvise(aligned, bytes, MADV_HUGEPAGE);  // a wish: where it is not granted the pages are small
#endif
    return new (aligned)
        Block{.pool = this, .before = nullptr, .after = nullptr, .size = bytes - sizeof(Block), .isFree = false};
  }

  void splitOff(Block* block, size_t size) {
    if (block->size < size + sizeof(Block) + kKeptWhole) return;
    auto* rest = new (static_cast<std::byte*>(block->data()) + size) Block{.pool = this,
                                                                           .before = block,
                                                                           .after = block->after,
                                                                           .size = block->size - size - sizeof(Block),
                                                                           .isFree = true};
    if (rest->after != nullptr) rest->after->before = rest;
    block->after = rest;
    block->size = size;
    free_.insert(rest);
  }

  static void swallowNext(Block* block) {
    const Block* next = block->after;
    block->size += sizeof(Block) + next->size;
    block->after = next->after;
    if (block->after != nullptr) block->after->before = block;
  }

  std::mutex mutex_;
  std::set<Block*, BySize> free_;
  CpuMemoryUse use_ = {.blocks = 0, .bytes = 0};
};

constexpr size_t kPools = 16;

std::array<Pool, kPools>& pools() {
  static auto* all = new std::array<Pool, kPools>();  // outlives every tensor
  return *all;
}

/// Large blocks come from the first pool: few in number, and what one thread gives back serves all. For small ones
/// threads take turns in choosing among the others: those that work side by side seldom share one, and find their
/// blocks in their own core's cache.
Pool& poolFor(size_t bytes) {
  static std::atomic<size_t> next = 0;
  thread_local Pool* mine = &pools()[1 + next++ % (kPools - 1)];
  return bytes >= kLargeBlock ? pools().front() : *mine;
}

class CpuMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : poolFor(bytes).take(bytes);
    return {data, data, &CpuMemory::free, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &CpuMemory::free; }

  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }

 private:
  static void free(void* data) {
    if (data == nullptr) return;
    Block* block = Block::of(data);
    block->pool->give(block);
  }
};

}  // namespace

void installCpuMemory() {
#if !defined(__SANITIZE_ADDRESS__)  // which sees only what malloc hands out
  static std::once_flag once;
  std::call_once(once, [] { c10::SetCPUAllocator(new CpuMemory(), /*priority=*/1); });
#endif
}

void releaseCpuMemory() {
  for (Pool& pool : pools()) pool.release();
}

SmallPages::SmallPages(void* begin, size_t bytes) : begin_(begin), bytes_(bytes) {
#if defined(MADV_NOHUGEPAGE)
  adviseInside(begin_, bytes_, MADV_NOHUGEPAGE);
#endif
}

SmallPages::~SmallPages() {
#if defined(MADV_HUGEPAGE)
  adviseInside(begin_, bytes_, MADV_HUGEPAGE);  // what the next owner of the memory touches first
#endif
}

void SmallPages::touch(void* begin, size_t bytes) {
#if defined(MADV_POPULATE_WRITE)
  adviseInside(begin, bytes, MADV_POPULATE_WRITE);  // Linux 5.14; refused by older ones, and then a page at a time
#endif
}

CpuMemoryUse cpuMemoryUse() {
  CpuMemoryUse all = {.blocks = 0, .bytes = 0};
  for (Pool& pool : pools()) {
    const CpuMemoryUse one = pool.use();
    all.blocks += one.blocks;
    all.bytes += one.bytes;
  }
  return all;
}

}  // namespace cae
