#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <bit>
#include <cstdint>

namespace cae::ops {

/// Splits `rows` evenly into one run per thread and calls `body(part, begin, end)` for each. The split depends on the
/// thread count alone, so that sums collected per part are the same in every run.
template <class Body>
void forRowParts(int64_t rows, const Body& body) {
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows));
  at::parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) body(part, rows * part / parts, rows * (part + 1) / parts);
  });
}

/// Number of parts that forRowParts makes.
inline int64_t rowParts(int64_t rows) { return std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows)); }

/// Element conversions that the compiler turns into vector code (c10's own branch on NaN per element).
inline float widen(float v) { return v; }
inline double widen(double v) { return v; }
inline float widen(c10::BFloat16 v) { return std::bit_cast<float>(static_cast<uint32_t>(v.x) << 16); }

template <class T>
inline T narrow(float v) {
  return static_cast<T>(v);
}
template <class T>
inline T narrow(double v) {
  return static_cast<T>(v);
}
template <>
inline c10::BFloat16 narrow<c10::BFloat16>(float v) {
  const uint32_t bits = std::bit_cast<uint32_t>(v);
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;  // to nearest, ties to even
  const bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return c10::BFloat16(static_cast<unsigned short>(nan ? 0x7FC0 : rounded), c10::BFloat16::from_bits());
}

}  // namespace cae::ops
