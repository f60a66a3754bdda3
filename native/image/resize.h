#pragma once

#include <cstdint>
#include <vector>

#include "image/crop.h"
#include "image/resample.h"

namespace cae {

/// Decoded pixels that somebody else owns: RGB, rows from the top, 8 bits a channel.
struct ImageView {
  const uint8_t* data;
  int64_t height, width;
  int64_t rowBytes;

  ImageView crop(const Box& box) const {
    return {.data = data + box.top * rowBytes + box.left * 3, .height = box.height, .width = box.width, .rowBytes = rowBytes};
  }
};

/// The output of a resize: a `box` of the whole image brought to `height` x `width`.
struct ResizePlan {
  int64_t height, width;
  Box box;
  Interpolation interpolation;
  bool isFlipped;  // left and right exchanged, after the resize
};

/// An antialiased resize in two passes of 8 bits each, first along the rows, then down the columns: byte for byte what
/// Pillow makes of the same pixels. The constructor does the first pass over the rows that the output needs.
class Resize {
 public:
  Resize(const ImageView& image, const ResizePlan& plan);

  /// What row() writes: 4 · box.width bytes, rounded up for the vectors.
  int64_t rowBytes() const { return rowBytes_; }

  /// Row `y` of the output as R G B X a pixel, X undefined.
  void row(int64_t y, uint8_t* out) const;

 private:
  void alongRows(const ImageView& image, const ResampleWeights& weights, bool isFlipped);

  ResampleWeights columns_;    // what every output row is made of
  int64_t firstRow_;           // of the image: the first one in between_
  int64_t rowBytes_;
  std::vector<uint8_t> between_;  // after the first pass: rows of R G B X pixels
};

}  // namespace cae
