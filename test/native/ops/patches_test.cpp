#include "ops/patches.h"

#include <ATen/CPUGeneratorImpl.h>

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

at::Tensor mask(std::initializer_list<int64_t> hidden, int64_t batch, int64_t tokens) {
  const at::Tensor m = at::zeros({batch, tokens}, at::kByte);
  for (const int64_t i : hidden) m.view({-1})[i].fill_(1);
  return m.to(at::kBool);
}

void splitsInOrder() {
  const ops::TokenSplit split = ops::splitTokens(mask({2, 3, 5, 6 + 0, 6 + 4, 6 + 5}, 2, 6), at::kCPU);
  expectClose("masked", split.masked, at::tensor({2, 3, 5, 0, 4, 5}, at::kLong).view({2, 3}), 0);
  expectClose("visible", split.visible, at::tensor({0, 1, 4, 1, 2, 3}, at::kLong).view({2, 3}), 0);
}

/// Long enough for a sort that is not stable to show it.
void splitsManyInOrder() {
  const at::Tensor m = numbers({1, 196}, 1).detach().gt(0);
  const ops::TokenSplit split = ops::splitTokens(m, at::kCPU);
  expectClose("masked", split.masked[0], m[0].nonzero().squeeze(1), 0);
  expectClose("visible", split.visible[0], m[0].logical_not().nonzero().squeeze(1), 0);
}

void unevenRowsAreRefused() {
  try {
    ops::splitTokens(mask({0, 1, 6}, 2, 6), at::kCPU);
  } catch (const Error& e) {
    CAE_CHECK(e.code() == "ERR_CAE_SHAPE", "TEST", "code ", e.code());
    return;
  }
  throw Error("TEST", "rows that hide 2 and 1 patches were taken");
}

void gathersRowsOfEachSample() {
  const at::Tensor tokens = numbers({2, 6, 3}, 1).detach(), index = at::tensor({5, 0, 2, 2}, at::kLong).view({2, 2});
  const at::Tensor want = at::stack({tokens[0].index_select(0, index[0]), tokens[1].index_select(0, index[1])});
  expectClose("samples", ops::gatherTokens(tokens, index), want, 0);
  expectClose("table", ops::gatherTokens(tokens[0], index),
              at::stack({tokens[0].index_select(0, index[0]), tokens[0].index_select(0, index[1])}), 0);
}

/// A convolution with kernel and stride P reads exactly these rows.
void patchesAreWhatAConvolutionReads() {
  const at::Tensor images = numbers({2, 3, 8, 12}, 1).detach(), kernel = numbers({5, 3, 4, 4}, 2).detach();
  const at::Tensor want = at::conv2d(images, kernel, {}, 4).flatten(2).transpose(1, 2);
  expectClose("products", at::matmul(ops::patchify(images, 4), kernel.flatten(1).t()), want, 1e-4);
}

void channelsComeLast() {
  const at::Tensor images = at::arange(3 * 4 * 4, at::kFloat).view({1, 3, 4, 4});
  const at::Tensor patch = ops::channelsLast(ops::patchify(images, 2))[0][1];  // upper right
  expectClose("values", patch,
              at::tensor({2.0F, 18.0F, 34.0F, 3.0F, 19.0F, 35.0F, 6.0F, 22.0F, 38.0F, 7.0F, 23.0F, 39.0F}), 0);
}

}  // namespace

int main() {
  return runAll({{"hidden and visible patches come in ascending order", splitsInOrder},
                 {"and so they do where there are many", splitsManyInOrder},
                 {"rows that hide different numbers are refused", unevenRowsAreRefused},
                 {"rows are gathered sample by sample, or from one table", gathersRowsOfEachSample},
                 {"a patch holds what a convolution would read", patchesAreWhatAConvolutionReads},
                 {"the pixel target runs (y, x, channel)", channelsComeLast}});
}
