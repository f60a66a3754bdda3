#include "image/resize.h"

#include <algorithm>
#include <cstring>

#include "image/vectors.h"

namespace cae {
namespace {

constexpr int kBits = ResampleWeights::kFractionBits;
constexpr int32_t kHalf = 1 << (kBits - 1);
constexpr int64_t kStrip = 4;      // rows that go through the first pass together
constexpr int64_t kOverread = 16;  // bytes that the vectors read past a row's last pixel
constexpr int64_t kColumns = 32;   // bytes of a row that go down the columns together

ResampleAxis vertical(const ResizePlan& p, int64_t input) {
  return {.input = input, .output = p.height, .first = p.box.top, .count = p.box.height};
}

ResampleAxis horizontal(const ResizePlan& p, int64_t input) {
  return {.input = input, .output = p.width, .first = p.box.left, .count = p.box.width};
}

}  // namespace

Resize::Resize(const ImageView& image, const ResizePlan& plan)
    : image_(image),
      isFlipped_(plan.isFlipped),
      across_(horizontal(plan, image.width), plan.interpolation),
      down_(vertical(plan, image.height), plan.interpolation),
      rowBytes_((4 * plan.box.width + kColumns - 1) / kColumns * kColumns),
      done_(down_.firstInput()),
      ring_((down_.mostInputs() + 2 * kStrip) / kStrip * kStrip),
      between_(static_cast<size_t>(ring_ * rowBytes_)),
      lines_(static_cast<size_t>(kStrip * (3 * (across_.lastInput() - across_.firstInput()) + kOverread))) {}

/// The first pass over the next rows of the image, four at a time: they share the reading of weights.
void Resize::alongRows() {
  const int64_t from = across_.firstInput();
  const int64_t lineBytes = static_cast<int64_t>(lines_.size()) / kStrip;
  const int64_t rows = std::min(kStrip, image_.height - done_);
  uint8_t* out[kStrip];
  for (int64_t r = 0; r < kStrip; ++r) {
    out[r] = between_.data() + (done_ + r) % ring_ * rowBytes_;
    // Past the image's end the strip keeps what it holds; nobody reads what becomes of it.
    if (r < rows) {
      std::memcpy(&lines_[static_cast<size_t>(r * lineBytes)], image_.data + (done_ + r) * image_.rowBytes + 3 * from,
                  static_cast<size_t>(lineBytes - kOverread));
    }
  }
  const auto outputs = static_cast<int64_t>(across_.spans.size());
  for (int64_t x = 0; x < outputs; ++x) {
    const auto& span = across_.spans[static_cast<size_t>(x)];
    const int32_t* weights = &across_.weights[static_cast<size_t>(span.offset)];
    const uint8_t* pixels = lines_.data() + 3 * (span.first - from);
    I32x8 sums[kStrip] = {};
    for (int64_t t = 0; t < span.count; t += ResampleWeights::kGroup) {
      const I32x8 w = eachFourTimes(weights + t);
      for (int64_t r = 0; r < kStrip; ++r) sums[r] += widenPixels(pixels + r * lineBytes + 3 * t) * w;
    }
    const int64_t place = 4 * (isFlipped_ ? outputs - 1 - x : x);
    for (int64_t r = 0; r < kStrip; r += 2) {
      uint8_t two[8];
      storeBytes(two, (addHalves(sums[r], sums[r + 1]) + kHalf) >> kBits);
      std::memcpy(out[r] + place, two, 4);
      std::memcpy(out[r + 1] + place, two + 4, 4);
    }
  }
  done_ += rows;
}

void Resize::nextRow(uint8_t* out) {
  const auto& span = down_.spans[static_cast<size_t>(y_++)];
  const int32_t* weights = &down_.weights[static_cast<size_t>(span.offset)];
  while (done_ < span.first + span.count) alongRows();
  for (int64_t x = 0; x < rowBytes_; x += kColumns) {
    I32x8 sums[kColumns / 8];
    for (auto& sum : sums) sum = splat(kHalf);
    for (int64_t t = 0; t < span.count; ++t) {
      const uint8_t* row = between(span.first + t) + x;
      for (int64_t i = 0; i < kColumns / 8; ++i) sums[i] += widenBytes(row + 8 * i) * weights[t];
    }
    for (int64_t i = 0; i < kColumns / 8; ++i) storeBytes(out + x + 8 * i, sums[i] >> kBits);
  }
}

}  // namespace cae
