#include "ops/squared_sum.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>
#include <numeric>
#include <vector>

namespace cae::ops {
namespace {

constexpr int64_t kPiece = int64_t{1} << 15;  // numbers, for one thread at a time
constexpr int64_t kBlock = 2048;              // as many are added in float32 before the sum goes on in double
constexpr int64_t kWide = 32;                 // sums that run side by side, for the vector units

template <class T>
double ofBlock(const T* values, int64_t count) {
  std::array<float, kWide> sums{};
  int64_t i = 0;
  for (; i + kWide <= count; i += kWide) {
    for (int64_t j = 0; j < kWide; ++j) {
      const auto value = static_cast<float>(values[i + j]);
      sums[j] += value * value;
    }
  }
  double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
  for (; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

template <class T>
double ofPiece(const T* values, int64_t count) {
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    sum += ofBlock(values + begin, std::min(kBlock, count - begin));
  }
  return sum;
}

template <class T>
double ofAll(const T* values, int64_t count) {
  std::vector<double> sums((count + kPiece - 1) / kPiece);
  at::parallel_for(0, static_cast<int64_t>(sums.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      const int64_t begin = piece * kPiece;
      sums[piece] = ofPiece(values + begin, std::min(kPiece, count - begin));
    }
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

double squaredSum(const at::Tensor& values) {
  return values.scalar_type() == at::kBFloat16 ? ofAll(values.const_data_ptr<at::BFloat16>(), values.numel())
                                               : ofAll(values.const_data_ptr<float>(), values.numel());
}

}  // namespace cae::ops
