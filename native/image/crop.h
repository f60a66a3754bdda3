#pragma once

#include <cstdint>

#include "image/draws.h"

namespace cae {

/// A rectangle of an image, in pixels.
struct Box {
  int64_t top, left, height, width;
};

/// How a random crop is drawn (spec/cae.md 5.2): a share of the image's area and a width / height ratio.
struct CropConfig {
  bool oneTry;  // the first box is taken, cut to the image (spec/downstream.md 3.2); else ten tries, then a central box
  double scaleMin, scaleMax;
  double ratioMin, ratioMax;
};

/// ERR_CAE_OPTION unless 0 < scaleMin <= scaleMax <= 1 and 0 < ratioMin <= ratioMax.
void checkCrop(const CropConfig& config);

/// A box of at least one pixel inside an image of `height` x `width` pixels.
Box drawCrop(const CropConfig& config, int64_t height, int64_t width, Draws& draws);

/// What evaluation sees of an image: its short side brought to `resizeShort`, then the middle of `height` x `width`
/// (spec/downstream.md 2.1). An image that has the output's size already goes in as it is.
struct CenterCrop {
  int64_t resizedHeight, resizedWidth;  // of the whole image
  Box box;                              // within the resized image
};
CenterCrop centerCrop(int64_t imageHeight, int64_t imageWidth, int64_t resizeShort, int64_t height, int64_t width);

}  // namespace cae
