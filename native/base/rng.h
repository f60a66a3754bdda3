#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace cae {

/// What a random draw is for. Two purposes never share a stream (design: randomness); the numbers are those of
/// src/rng.ts.
enum class Purpose : uint32_t {
  kOrder = 1,
  kCrop = 2,
  kFlip = 3,
  kMask = 4,
  kJitter = 5,
  kDropPath = 6,
  kInit = 7,
  kGumbel = 8,
};

/// Names one stream of random numbers. All randomness of the package is a pure function of such a name.
struct RngKey {
  uint64_t seed;
  Purpose purpose;
  uint32_t time;   // epoch or step
  uint32_t index;  // sample, tensor, ...
};

/// Philox 4x32-10 (Salmon et al., SC 2011) in counter mode: key = (seed low, seed high), counter = (block, index, time,
/// purpose). A draw takes two of a block's four words, so a stream is the same in C++ and TypeScript, number for
/// number.
class RngStream {
 public:
  explicit RngStream(const RngKey& key);

  /// The next number in [0, 1): 53 bits, ((a >> 5) · 2^26 + (b >> 6)) / 2^53 of the next two words.
  double uniform();

  /// lo + (hi - lo) · uniform(); `hi` may be below `lo`.
  double uniform(double lo, double hi);

  /// A whole number of lo..hi, both included: lo + floor(uniform() · (hi - lo + 1)).
  int64_t integer(int64_t lo, int64_t hi);

  /// Numbers of (0, 1), both ends left out, that float32 can hold: 23 bits of one word each, twice as fast as uniform()
  /// for noise in bulk.
  void fill(std::span<float> out);

 private:
  uint32_t word();

  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  uint32_t used_ = 4;
};

}  // namespace cae
