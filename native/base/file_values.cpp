#include "base/file_values.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <deque>

#include "base/check.h"
#include "base/cpu_memory.h"

namespace cae {
namespace {

/// Numbers that one thread reads and looks at in one go: they stay in its cache between the two.
constexpr int64_t kPieceNumbers = int64_t{1} << 16;

/// A part of a tensor.
struct Piece {
  size_t tensor;
  int64_t from, count;
};

std::vector<Piece> cut(const std::vector<FileValues>& values) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < values.size(); ++i) {
    for (int64_t from = 0; from < values[i].count; from += kPieceNumbers) {
      pieces.push_back({i, from, std::min(kPieceNumbers, values[i].count - from)});
    }
  }
  return pieces;
}

void readBytes(const FileValues& file, int64_t position, char* target, int64_t bytes) {
  while (bytes > 0) {
    const ssize_t got = ::pread(file.descriptor, target, static_cast<size_t>(bytes), position);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error("ERR_CAE_CHECKPOINT", text("cannot read: ", std::strerror(errno)), file.path);
    }
    if (got == 0) {
      throw Error("ERR_CAE_CHECKPOINT", text("it ends at byte ", position, ": it was cut short"), file.path);
    }
    target += got;
    position += got;
    bytes -= got;
  }
}

int64_t countNonFinite(const float* values, int64_t count) {
  constexpr uint32_t kExponent = 0x7f800000;
  int32_t found = 0;  // of one piece
  for (int64_t i = 0; i < count; ++i) found += (std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent;
  return found;
}

/// Fills a part of `whole`, a contiguous float32 tensor on the CPU; returns how many of its values are not finite.
int64_t fill(const at::Tensor& whole, const FileValues& file, const Piece& piece) {
  float* target = whole.data_ptr<float>() + piece.from;
  const auto size = static_cast<int64_t>(c10::elementSize(file.type));
  const int64_t position = file.position + piece.from * size;
  SmallPages::touch(target, static_cast<size_t>(piece.count) * sizeof(float));
  if (file.type == at::kFloat) {
    readBytes(file, position, reinterpret_cast<char*>(target), piece.count * size);
  } else {
    const at::Tensor stored = at::empty({piece.count}, file.type);
    readBytes(file, position, static_cast<char*>(stored.data_ptr()), piece.count * size);
    at::from_blob(target, {piece.count}, at::kFloat).copy_(stored);
  }
  return countNonFinite(target, piece.count);
}

}  // namespace

std::vector<int64_t> fillFromFiles(const std::vector<at::Tensor>& targets, const std::vector<FileValues>& values) {
  CAE_CHECK(targets.size() == values.size(), "ERR_CAE_INTERNAL", values.size(), " sources for ", targets.size(),
            " tensors");
  std::vector<at::Tensor> hosts;
  for (size_t i = 0; i < targets.size(); ++i) {
    CAE_CHECK(targets[i].numel() == values[i].count, "ERR_CAE_CHECKPOINT", values[i].path, " has ", values[i].count,
              " numbers for a tensor of ", targets[i].numel());
    const at::Tensor plain = targets[i].detach();
    const bool isPlain = plain.is_cpu() && plain.scalar_type() == at::kFloat && plain.is_contiguous();
    hosts.push_back(isPlain ? plain : at::empty(plain.sizes(), at::kFloat));
  }
  std::deque<SmallPages> small;
  for (const at::Tensor& host : hosts) small.emplace_back(host.data_ptr(), host.nbytes());
  const std::vector<Piece> pieces = cut(values);
  std::vector<std::atomic<int64_t>> nonFinite(targets.size());
  at::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard noGrad;
    for (int64_t at = begin; at < end; ++at) {
      const Piece& piece = pieces[static_cast<size_t>(at)];
      nonFinite[piece.tensor] += fill(hosts[piece.tensor], values[piece.tensor], piece);
    }
  });
  const at::NoGradGuard noGrad;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (!hosts[i].is_alias_of(targets[i])) targets[i].copy_(hosts[i]);
  }
  return {nonFinite.begin(), nonFinite.end()};
}

}  // namespace cae
