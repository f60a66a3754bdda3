#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "image/batch.h"
#include "image/crop.h"
#include "image/mask.h"
#include "image/normalize.h"
#include "image/resize.h"

namespace cae {

/// Which part of an image a batch takes.
enum class CropMode {
  kRandom,  // a box drawn as CropConfig says
  kCenter,  // short side to resizeShort, then the middle
  kNone,    // all of it, whatever its proportions
};

/// How decoded images become a batch (spec/cae.md 5).
struct CollateConfig {
  uint64_t seed;
  uint32_t epoch;
  int64_t height, width;          // of the output
  int64_t viewHeight, viewWidth;  // of a second view of the same crop, for another network (spec/cae.md 5.3); 0: none
  Interpolation viewInterpolation;
  CropMode crop;
  CropConfig randomCrop;
  int64_t resizeShort;
  double flip;  // probability
  Interpolation interpolation;
  std::array<double, 3> mean, std;
  std::optional<MaskConfig> mask;
};

/// One decoded image on its way into a batch.
struct Sample {
  ImageView pixels;
  uint32_t index;  // key of its random draws
  int32_t label;
};

/// Makes one batch. What a sample becomes depends on its pixels, its index, the seed and the epoch alone: not on its
/// place, on the others, or on who fills in which.
class Collation {
 public:
  /// Checks the configuration (ERR_CAE_OPTION) and makes room; the samples' pixels must stay until the last fill().
  Collation(const CollateConfig& config, std::vector<Sample> samples);

  int64_t size() const { return static_cast<int64_t>(samples_.size()); }

  /// Fills place `i` of the batch. From any thread, once for each place.
  void fill(int64_t i);

  /// images [B, 3, H, W] float32, mask [B, N] where one is drawn, labels [B], view [B, 3, h, w] uint8 where one is
  /// wanted.
  const Batch& batch() const { return batch_; }

 private:
  /// Where the pixels of an output of height x width come from.
  ResizePlan plan(const Sample& sample, int64_t height, int64_t width, Interpolation interpolation) const;
  void fillView(const Sample& sample, int64_t i);
  ImageView part(const Sample& sample) const;

  CollateConfig config_;
  Normalizer normalizer_;
  std::vector<Sample> samples_;
  Batch batch_;
};

}  // namespace cae
