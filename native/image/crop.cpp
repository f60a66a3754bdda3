#include "image/crop.h"

#include <algorithm>
#include <cmath>

namespace cae {
namespace {

constexpr int kTries = 10;

/// Half to even, as Python's round.
int64_t rounded(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

Box place(int64_t boxHeight, int64_t boxWidth, int64_t height, int64_t width, Draws& draws) {
  const int64_t top = draws.integer(0, height - boxHeight);
  const int64_t left = draws.integer(0, width - boxWidth);
  return {.top = top, .left = left, .height = boxHeight, .width = boxWidth};
}

/// The largest box in the middle whose ratio the configuration allows.
Box centralBox(const CropConfig& c, int64_t height, int64_t width) {
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  int64_t boxHeight = height, boxWidth = width;
  if (ratio < c.ratioMin) boxHeight = std::clamp<int64_t>(rounded(static_cast<double>(width) / c.ratioMin), 1, height);
  if (ratio > c.ratioMax) boxWidth = std::clamp<int64_t>(rounded(static_cast<double>(height) * c.ratioMax), 1, width);
  return {.top = (height - boxHeight) / 2, .left = (width - boxWidth) / 2, .height = boxHeight, .width = boxWidth};
}

}  // namespace

void checkCrop(const CropConfig& c) {
  CAE_CHECK(c.scaleMin > 0 && c.scaleMin <= c.scaleMax && c.scaleMax <= 1, "ERR_CAE_OPTION",
            "a crop's share of the image from ", c.scaleMin, " to ", c.scaleMax, " is not within 0 and 1");
  CAE_CHECK(c.ratioMin > 0 && c.ratioMin <= c.ratioMax && std::isfinite(c.ratioMax), "ERR_CAE_OPTION",
            "a crop's width / height from ", c.ratioMin, " to ", c.ratioMax, " is no range of positive numbers");
}

Box drawCrop(const CropConfig& c, int64_t height, int64_t width, Draws& draws) {
  const double pixels = static_cast<double>(height) * static_cast<double>(width);
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const double area = draws.uniform(c.scaleMin, c.scaleMax) * pixels;
    const double ratio = std::exp(draws.uniform(std::log(c.ratioMin), std::log(c.ratioMax)));
    int64_t boxWidth = rounded(std::sqrt(area * ratio));
    int64_t boxHeight = rounded(std::sqrt(area / ratio));
    if (c.oneTry) {
      boxWidth = std::clamp<int64_t>(boxWidth, 1, width);
      boxHeight = std::clamp<int64_t>(boxHeight, 1, height);
    }
    // A side of 0 can only come from an image of a pixel or two; the reference would fail on it.
    const bool fits = boxWidth > 0 && boxWidth <= width && boxHeight > 0 && boxHeight <= height;
    if (fits) return place(boxHeight, boxWidth, height, width, draws);
  }
  return centralBox(c, height, width);
}

CenterCrop centerCrop(int64_t imageHeight, int64_t imageWidth, int64_t resizeShort, int64_t height, int64_t width) {
  if (imageHeight == height && imageWidth == width) {
    return {
        .resizedHeight = height, .resizedWidth = width, .box = {.top = 0, .left = 0, .height = height, .width = width}};
  }
  const int64_t shorter = std::min(imageHeight, imageWidth);
  // The long side is cut to whole pixels, the middle rounded: as torchvision's Resize and CenterCrop do.
  const int64_t resizedHeight = imageHeight == shorter ? resizeShort : resizeShort * imageHeight / shorter;
  const int64_t resizedWidth = imageWidth == shorter ? resizeShort : resizeShort * imageWidth / shorter;
  const Box box = {.top = rounded(static_cast<double>(resizedHeight - height) / 2),
                   .left = rounded(static_cast<double>(resizedWidth - width) / 2),
                   .height = height,
                   .width = width};
  return {.resizedHeight = resizedHeight, .resizedWidth = resizedWidth, .box = box};
}

}  // namespace cae
