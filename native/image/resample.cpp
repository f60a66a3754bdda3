#include "image/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cae {
namespace {

/// Reach of the kernel to each side, in output pixels.
double support(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kBilinear: return 1;
    case Interpolation::kBicubic: return 2;
    case Interpolation::kLanczos: return 3;
  }
  return 0;  // not reached
}

double sinc(double x) { return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

double kernel(Interpolation interpolation, double x) {
  constexpr double a = -0.5;  // Keys' cubic, as in Pillow; OpenCV and PyTorch without antialiasing use -0.75
  x = std::abs(x);
  if (interpolation == Interpolation::kBilinear) return x < 1 ? 1 - x : 0;
  if (interpolation == Interpolation::kLanczos) return x < 3 ? sinc(x) * sinc(x / 3) : 0;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

int32_t fixedPoint(double weight) {
  const double scaled = weight * (1 << ResampleWeights::kFractionBits);
  return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

ResampleWeights::ResampleWeights(const ResampleAxis& axis, Interpolation interpolation) {
  const double scale = static_cast<double>(axis.input) / static_cast<double>(axis.output);
  const double filterScale = std::max(scale, 1.0);
  // Without a change of size every pixel stays what it is: the kernel is 1 there and 0 at the neighbours.
  const double reach = axis.input == axis.output ? 0.5 : support(interpolation) * filterScale;
  std::vector<double> real(static_cast<size_t>(std::ceil(reach)) * 2 + 1);
  std::vector<int32_t> whole(real.size());
  spans.reserve(static_cast<size_t>(axis.count));
  weights.reserve(static_cast<size_t>(axis.count) * (real.size() + kGroup));
  for (int64_t i = axis.first; i < axis.first + axis.count; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(center - reach + 0.5), 0);
    const int64_t count = std::min<int64_t>(static_cast<int64_t>(center + reach + 0.5), axis.input) - first;
    double sum = 0;
    for (int64_t t = 0; t < count; ++t) {
      real[t] = kernel(interpolation, (static_cast<double>(first + t) - center + 0.5) / filterScale);
      sum += real[t];
    }
    for (int64_t t = 0; t < count; ++t) whole[t] = fixedPoint(real[t] / sum);
    spans.push_back({.first = first, .count = count, .offset = static_cast<int64_t>(weights.size())});
    weights.insert(weights.end(), whole.begin(), whole.begin() + count);
    weights.resize((weights.size() + kGroup - 1) / kGroup * kGroup, 0);
  }
}

int64_t ResampleWeights::firstInput() const { return spans.front().first; }

int64_t ResampleWeights::lastInput() const { return spans.back().first + spans.back().count; }

int64_t ResampleWeights::mostInputs() const { return std::ranges::max(spans, {}, &Span::count).count; }

}  // namespace cae
