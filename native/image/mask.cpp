#include "image/mask.h"

namespace cae {

void checkMask(const MaskConfig& c) {
  CAE_CHECK(c.gridHeight > 0 && c.gridWidth > 0, "ERR_CAE_OPTION", "a mask of ", c.gridHeight, " x ", c.gridWidth,
            " patches");
  CAE_CHECK(c.count >= 0 && c.count <= c.patches(), "ERR_CAE_OPTION", "maskCount ", c.count,
            " is not within 0 and the ", c.patches(), " patches of a ", c.gridHeight, " x ", c.gridWidth, " grid");
  CAE_CHECK(c.minBlock >= 1 && c.maxBlock >= 0, "ERR_CAE_OPTION", "maskMinBlock ", c.minBlock, " or maskMaxBlock ",
            c.maxBlock, " is too small");
}

void drawMask(const MaskConfig& config, Draws& draws, std::span<bool> mask) {
  switch (config.shape) {
    case MaskShape::kBlock: return drawBlockMask(config, draws, mask);
    case MaskShape::kRandom: return drawRandomMask(config, draws, mask);
  }
}

}  // namespace cae
