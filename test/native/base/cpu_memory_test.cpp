#include "base/cpu_memory.h"

#include <ATen/ops/empty.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

/// A tensor of `bytes` bytes, all of them `mark`.
at::Tensor marked(int64_t bytes, uint8_t mark) {
  at::Tensor tensor = at::empty({bytes}, at::kByte);
  CAE_CHECK(reinterpret_cast<uintptr_t>(tensor.data_ptr()) % 64 == 0, "TEST", "not on a cache line");
  std::memset(tensor.data_ptr(), mark, static_cast<size_t>(bytes));
  return tensor;
}

void expectMarked(const at::Tensor& tensor, uint8_t mark) {
  CAE_CHECK(tensor.eq(mark).all().item<bool>(), "TEST", "a block of ", tensor.numel(), " bytes was written over");
}

/// Takes and gives back in random order, from a few bytes to a few segments.
void churn(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::pair<at::Tensor, uint8_t>> held;
  for (int round = 0; round < 3000; ++round) {
    const int64_t bytes = int64_t{1} << (random() % (round % 100 == 0 ? 27 : 18));
    const auto mark = static_cast<uint8_t>(random());
    held.emplace_back(marked(bytes + random() % 100, mark), mark);
    while (held.size() > 40) {
      const size_t at = random() % held.size();
      expectMarked(held[at].first, held[at].second);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  for (const auto& [tensor, mark] : held) expectMarked(tensor, mark);
}

void blocksDoNotOverlap() { churn(1); }

void threadsDoNotDisturbEachOther() {
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> failures(4);
  for (unsigned i = 0; i < failures.size(); ++i) {
    threads.emplace_back([i, &failures] {
      try {
        churn(i);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

/// What one thread took another may give back, also when the first has ended.
void memoryTravelsBetweenThreads() {
  at::Tensor tensor;
  std::thread([&tensor] { tensor = marked(5000, 7); }).join();
  expectMarked(tensor, 7);
  tensor.reset();
}

void releaseKeepsWhatIsInUse() {
  const at::Tensor small = marked(100, 1), large = marked(int64_t{40} << 20, 2);
  marked(int64_t{90} << 20, 3).reset();
  releaseCpuMemory();
  expectMarked(small, 1);
  expectMarked(large, 2);
  churn(9);
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
/// Resident memory of this process, in bytes.
int64_t resident() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, residentPages = 0;
  file >> pages >> residentPages;
  return residentPages * sysconf(_SC_PAGESIZE);
}
#endif

/// Also from between blocks that are in use.
void releaseGivesBackWhatIsFree() {
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
  constexpr int64_t kBytes = int64_t{64} << 20;
  std::vector<at::Tensor> blocks;
  for (int i = 0; i < 16; ++i) blocks.push_back(marked(kBytes / 16, static_cast<uint8_t>(i)));
  const int64_t before = resident();
  for (size_t i = 0; i < blocks.size(); i += 2) blocks[i].reset();
  releaseCpuMemory();
  const int64_t given = before - resident();
  CAE_CHECK(given > kBytes / 4, "TEST", given, " bytes went back of ", kBytes / 2);
  for (size_t i = 1; i < blocks.size(); i += 2) expectMarked(blocks[i], static_cast<uint8_t>(i));
#endif
}

void useIsWhatIsHeld() {
#if !defined(__SANITIZE_ADDRESS__)  // where there are no pools
  const CpuMemoryUse before = cpuMemoryUse();
  const at::Tensor small = marked(100, 1);
  const at::Tensor view = small.narrow(0, 10, 20);
  at::Tensor large = marked(int64_t{3} << 20, 2);
  const CpuMemoryUse held = cpuMemoryUse();
  CAE_CHECK(held.blocks == before.blocks + 2, "TEST", held.blocks - before.blocks, " blocks for two storages");
  CAE_CHECK(held.bytes >= before.bytes + 100 + (int64_t{3} << 20), "TEST", held.bytes - before.bytes, " bytes");
  std::thread([&large] { large.reset(); }).join();
  CAE_CHECK(cpuMemoryUse().blocks == before.blocks + 1, "TEST", "a storage given back elsewhere still counts");
#endif
}

void nothingIsATensorToo() { CAE_CHECK(at::empty({0}).numel() == 0, "TEST", "an empty tensor has values"); }

}  // namespace

int main() {
  installCpuMemory();
  return runAll({{"blocks in use do not overlap", blocksDoNotOverlap},
                 {"threads do not disturb each other", threadsDoNotDisturbEachOther},
                 {"memory may be given back by another thread", memoryTravelsBetweenThreads},
                 {"release keeps what is in use", releaseKeepsWhatIsInUse},
                 {"release gives back what is free", releaseGivesBackWhatIsFree},
                 {"use is what is held", useIsWhatIsHeld},
                 {"a tensor may be empty", nothingIsATensorToo}});
}
