#include "image/collate.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "base/check.h"

namespace cae {
namespace {

void checkCollate(const CollateConfig& c) {
  CAE_CHECK(c.height > 0 && c.width > 0, "ERR_CAE_OPTION", "images of ", c.height, " x ", c.width, " pixels");
  CAE_CHECK(c.flip >= 0 && c.flip <= 1, "ERR_CAE_OPTION", "flip ", c.flip, " is not a probability");
  if (c.crop == CropMode::kRandom) checkCrop(c.randomCrop);
  CAE_CHECK(c.crop != CropMode::kCenter || c.resizeShort >= std::max(c.height, c.width), "ERR_CAE_OPTION",
            "resizeShort ", c.resizeShort, " leaves no middle of ", c.height, " x ", c.width, " pixels");
  if (c.mask) checkMask(*c.mask);
}

}  // namespace

Collation::Collation(const CollateConfig& config, std::vector<Sample> samples)
    : config_(config), normalizer_(config.mean, config.std), samples_(std::move(samples)) {
  checkCollate(config_);
  batch_.images = at::empty({size(), 3, config_.height, config_.width}, at::kFloat);
  batch_.labels = at::empty({size()}, at::kInt);
  if (config_.mask) batch_.mask = at::zeros({size(), config_.mask->patches()}, at::kBool);
}

void Collation::fill(int64_t i) {
  const Sample& sample = samples_[static_cast<size_t>(i)];
  const int64_t planeSize = config_.height * config_.width;
  float* planes = batch_.images.mutable_data_ptr<float>() + i * 3 * planeSize;
  Resize resize(part(sample), plan(sample));
  std::vector<uint8_t> row(static_cast<size_t>(resize.rowBytes()));
  for (int64_t y = 0; y < config_.height; ++y) {
    resize.nextRow(row.data());
    normalizer_.row(row.data(), config_.width, planes + y * config_.width, planeSize);
  }
  batch_.labels.mutable_data_ptr<int32_t>()[i] = sample.label;
  if (config_.mask) {
    const int64_t patches = config_.mask->patches();
    KeyedDraws draws({.seed = config_.seed, .purpose = Purpose::kMask, .time = config_.epoch, .index = sample.index});
    drawMask(*config_.mask, draws, {batch_.mask.mutable_data_ptr<bool>() + i * patches, static_cast<size_t>(patches)});
  }
}

/// The pixels that are resized: a random box, or all.
ImageView Collation::part(const Sample& sample) const {
  if (config_.crop != CropMode::kRandom) return sample.pixels;
  KeyedDraws draws({.seed = config_.seed, .purpose = Purpose::kCrop, .time = config_.epoch, .index = sample.index});
  return sample.pixels.crop(drawCrop(config_.randomCrop, sample.pixels.height, sample.pixels.width, draws));
}

ResizePlan Collation::plan(const Sample& sample) const {
  RngStream flips({.seed = config_.seed, .purpose = Purpose::kFlip, .time = config_.epoch, .index = sample.index});
  ResizePlan plan = {.height = config_.height,
                     .width = config_.width,
                     .box = {.top = 0, .left = 0, .height = config_.height, .width = config_.width},
                     .interpolation = config_.interpolation,
                     .isFlipped = flips.uniform() < config_.flip};
  if (config_.crop == CropMode::kCenter) {
    const CenterCrop center =
        centerCrop(sample.pixels.height, sample.pixels.width, config_.resizeShort, config_.height, config_.width);
    plan.height = center.resizedHeight;
    plan.width = center.resizedWidth;
    plan.box = center.box;
  }
  return plan;
}

}  // namespace cae
