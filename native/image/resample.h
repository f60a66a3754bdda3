#pragma once

#include <cstdint>
#include <vector>

namespace cae {

enum class Interpolation { kBilinear, kBicubic, kLanczos };

/// One direction of a resize: `input` pixels become `output`, of which `count` from `first` on are wanted.
struct ResampleAxis {
  int64_t input, output;
  int64_t first, count;
};

/// For every wanted output pixel, which input pixels it is made of and how much of each: the antialiasing filter of
/// Pillow, whose support grows with the reduction, in Pillow's fixed point. Sums of weight times 8-bit pixel fit int32.
struct ResampleWeights {
  static constexpr int kFractionBits = 22;
  /// Weights of one pixel are padded with zeros to a multiple of this many, so that they can be read in vectors.
  static constexpr int64_t kGroup = 2;

  struct Span {
    int64_t first;   // input pixel
    int64_t count;   // input pixels, at least 1
    int64_t offset;  // of its first weight
  };
  std::vector<Span> spans;       // one for every wanted output pixel
  std::vector<int32_t> weights;  // they add up to about 2^kFractionBits for every pixel

  ResampleWeights(const ResampleAxis& axis, Interpolation interpolation);

  /// The input pixels that any output pixel reads: [first, last).
  int64_t firstInput() const;
  int64_t lastInput() const;
  /// Of how many input pixels an output pixel is made at most.
  int64_t mostInputs() const;
};

}  // namespace cae
