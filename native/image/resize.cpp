#include "image/resize.h"

#include <algorithm>
#include <cstring>

#include "image/vectors.h"

namespace cae {
namespace {

constexpr int kBits = ResampleWeights::kFractionBits;
constexpr int32_t kHalf = 1 << (kBits - 1);
constexpr int64_t kStrip = 4;      // rows that share the reading of weights
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
    : columns_(vertical(plan, image.height), plan.interpolation),
      firstRow_(columns_.firstInput()),
      rowBytes_((4 * plan.box.width + kColumns - 1) / kColumns * kColumns) {
  alongRows(image, ResampleWeights(horizontal(plan, image.width), plan.interpolation), plan.isFlipped);
}

void Resize::alongRows(const ImageView& image, const ResampleWeights& weights, bool isFlipped) {
  const int64_t rows = columns_.lastInput() - firstRow_;
  const auto outputs = static_cast<int64_t>(weights.spans.size());
  const int64_t from = weights.firstInput();
  const int64_t bytes = 3 * (weights.lastInput() - from);
  between_.resize(static_cast<size_t>((rows + kStrip - 1) / kStrip * kStrip * rowBytes_));
  // A strip of rows is copied first, since the vectors read past its ends and the image may end there.
  const int64_t lineBytes = bytes + kOverread;
  std::vector<uint8_t> lines(static_cast<size_t>(kStrip * lineBytes));
  for (int64_t y = 0; y < rows; y += kStrip) {
    for (int64_t r = 0; r < std::min(kStrip, rows - y); ++r) {
      std::memcpy(&lines[static_cast<size_t>(r * lineBytes)], image.data + (firstRow_ + y + r) * image.rowBytes + 3 * from,
                  static_cast<size_t>(bytes));
    }
    for (int64_t x = 0; x < outputs; ++x) {
      const auto& span = weights.spans[static_cast<size_t>(x)];
      const uint8_t* pixels = lines.data() + 3 * (span.first - from);
      I32x8 sums[kStrip] = {};
      for (int64_t t = 0; t < span.count; t += ResampleWeights::kGroup) {
        const I32x8 w = eachFourTimes(&weights.weights[static_cast<size_t>(span.offset + t)]);
        for (int64_t r = 0; r < kStrip; ++r) sums[r] += widenPixels(pixels + r * lineBytes + 3 * t) * w;
      }
      uint8_t* out = between_.data() + y * rowBytes_ + 4 * (isFlipped ? outputs - 1 - x : x);
      for (int64_t r = 0; r < kStrip; r += 2) {
        uint8_t two[8];
        storeBytes(two, (addHalves(sums[r], sums[r + 1]) + kHalf) >> kBits);
        std::memcpy(out + r * rowBytes_, two, 4);
        std::memcpy(out + (r + 1) * rowBytes_, two + 4, 4);
      }
    }
  }
}

void Resize::row(int64_t y, uint8_t* out) const {
  const auto& span = columns_.spans[static_cast<size_t>(y)];
  const int32_t* weights = &columns_.weights[static_cast<size_t>(span.offset)];
  const uint8_t* rows = between_.data() + (span.first - firstRow_) * rowBytes_;
  for (int64_t x = 0; x < rowBytes_; x += kColumns) {
    I32x8 sums[kColumns / 8];
    for (auto& sum : sums) sum = splat(kHalf);
    for (int64_t t = 0; t < span.count; ++t) {
      for (int64_t i = 0; i < kColumns / 8; ++i) sums[i] += widenBytes(rows + t * rowBytes_ + x + 8 * i) * weights[t];
    }
    for (int64_t i = 0; i < kColumns / 8; ++i) storeBytes(out + x + 8 * i, sums[i] >> kBits);
  }
}

}  // namespace cae
