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
  CAE_CHECK(c.crop != CropMode::kCenter || c.viewHeight == 0, "ERR_CAE_OPTION", "a centre crop has no second view");
  CAE_CHECK((c.viewHeight > 0) == (c.viewWidth > 0) && c.viewHeight >= 0, "ERR_CAE_OPTION", "a second view of ",
            c.viewHeight, " x ", c.viewWidth, " pixels");
  if (c.mask) checkMask(*c.mask);
}

}  // namespace

Collation::Collation(const CollateConfig& config, std::vector<Sample> samples)
    : config_(config), normalizer_(config.mean, config.std), samples_(std::move(samples)) {
  checkCollate(config_);
  batch_.images = at::empty({size(), 3, config_.height, config_.width}, at::kFloat);
  batch_.labels = at::empty({size()}, at::kInt);
  if (config_.viewHeight > 0) batch_.view = at::empty({size(), 3, config_.viewHeight, config_.viewWidth}, at::kByte);
  if (config_.mask) batch_.mask = at::zeros({size(), config_.mask->patches()}, at::kBool);
}

void Collation::fill(int64_t i) {
  const Sample& sample = samples_[static_cast<size_t>(i)];
  const int64_t planeSize = config_.height * config_.width;
  float* planes = batch_.images.mutable_data_ptr<float>() + i * 3 * planeSize;
  Resize resize(part(sample), plan(sample, config_.height, config_.width, config_.interpolation));
  std::vector<uint8_t> row(static_cast<size_t>(resize.rowBytes()));
  for (int64_t y = 0; y < config_.height; ++y) {
    resize.nextRow(row.data());
    normalizer_.row(row.data(), config_.width, planes + y * config_.width, planeSize);
  }
  if (config_.viewHeight > 0) fillView(sample, i);
  batch_.labels.mutable_data_ptr<int32_t>()[i] = sample.label;
  if (config_.mask) {
    const int64_t patches = config_.mask->patches();
    KeyedDraws draws({.seed = config_.seed, .purpose = Purpose::kMask, .time = config_.epoch, .index = sample.index});
    drawMask(*config_.mask, draws, {batch_.mask.mutable_data_ptr<bool>() + i * patches, static_cast<size_t>(patches)});
  }
}

/// The same box and flip as the first view, resized from the image itself (spec/cae.md 5.3).
void Collation::fillView(const Sample& sample, int64_t i) {
  const int64_t height = config_.viewHeight, width = config_.viewWidth;
  uint8_t* planes = batch_.view.mutable_data_ptr<uint8_t>() + i * 3 * height * width;
  Resize resize(part(sample), plan(sample, height, width, config_.viewInterpolation));
  std::vector<uint8_t> row(static_cast<size_t>(resize.rowBytes()));
  for (int64_t y = 0; y < height; ++y) {
    resize.nextRow(row.data());
    for (int64_t channel = 0; channel < 3; ++channel) {
      uint8_t* out = planes + (channel * height + y) * width;
      for (int64_t x = 0; x < width; ++x) out[x] = row[static_cast<size_t>(4 * x + channel)];
    }
  }
}

/// The pixels that are resized: a random box, or all.
ImageView Collation::part(const Sample& sample) const {
  if (config_.crop != CropMode::kRandom) return sample.pixels;
  KeyedDraws draws({.seed = config_.seed, .purpose = Purpose::kCrop, .time = config_.epoch, .index = sample.index});
  return sample.pixels.crop(drawCrop(config_.randomCrop, sample.pixels.height, sample.pixels.width, draws));
}

ResizePlan Collation::plan(const Sample& sample, int64_t height, int64_t width, Interpolation interpolation) const {
  RngStream flips({.seed = config_.seed, .purpose = Purpose::kFlip, .time = config_.epoch, .index = sample.index});
  ResizePlan plan = {.height = height,
                     .width = width,
                     .box = {.top = 0, .left = 0, .height = height, .width = width},
                     .interpolation = interpolation,
                     .isFlipped = flips.uniform() < config_.flip};
  if (config_.crop == CropMode::kCenter) {
    const CenterCrop center = centerCrop(sample.pixels.height, sample.pixels.width, config_.resizeShort, height, width);
    plan.height = center.resizedHeight;
    plan.width = center.resizedWidth;
    plan.box = center.box;
  }
  return plan;
}

}  // namespace cae
