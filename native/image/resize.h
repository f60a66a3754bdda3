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
    return {.data = data + box.top * rowBytes + box.left * 3,
            .height = box.height,
            .width = box.width,
            .rowBytes = rowBytes};
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
/// Pillow makes of the same pixels. The output is made row by row, and only the rows that the next one needs are kept
/// between the passes, so that they stay in the nearest cache.
class Resize {
 public:
  /// The image must stay until the last row is made.
  Resize(const ImageView& image, const ResizePlan& plan);

  /// What nextRow() writes: 4 bytes a pixel, rounded up for the vectors.
  int64_t rowBytes() const { return rowBytes_; }

  /// The next row of the output, from the top, as R G B X a pixel, X undefined. To be called box.height times.
  void nextRow(uint8_t* out);

 private:
  void alongRows();
  const uint8_t* between(int64_t row) const { return between_.data() + row % ring_ * rowBytes_; }

  ImageView image_;
  bool isFlipped_;
  ResampleWeights across_, down_;  // what every column and every row of the output is made of
  int64_t rowBytes_;
  int64_t done_;                  // rows of the image that have been through the first pass
  int64_t y_ = 0;                 // the next row of the output
  int64_t ring_;                  // rows between the passes
  std::vector<uint8_t> between_;  // R G B X pixels; the image's row i in place i % ring_
  std::vector<uint8_t> lines_;    // copies of the image's next rows: the vectors read past their ends
};

}  // namespace cae
