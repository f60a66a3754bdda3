#include "model/drop_path.h"

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

constexpr DropPathKey kKey = {.seed = 3, .step = 7, .firstPosition = 0};

DropPath draw(int64_t batch, DropPathStack stack = DropPathStack::kEncoder, DropPathKey key = kKey, double rate = 0.4) {
  return {rate, 5, batch, stack, key, at::kCPU};
}

void firstBlockNeverDrops() {
  CAE_CHECK(!draw(8).scale(0, 0).defined() && !draw(8).scale(0, 1).defined(), "TEST", "block 0 has factors");
  CAE_CHECK(draw(8).scale(1, 0).defined(), "TEST", "block 1 has none");
  CAE_CHECK(!draw(8, DropPathStack::kEncoder, kKey, 0).scale(3, 0).defined(), "TEST", "rate 0 has factors");
  CAE_CHECK(!DropPath().scale(3, 0).defined(), "TEST", "evaluation has factors");
  const DropPath single(0.4, 1, 8, DropPathStack::kDecoder, kKey, at::kCPU);
  CAE_CHECK(!single.scale(0, 0).defined(), "TEST", "a stack of one block has factors");
}

/// Kept branches are scaled up so that their mean over draws stays what it was.
void ratesRiseLinearly() {
  const int64_t batch = 20000;
  const DropPath path = draw(batch);
  for (int64_t block = 1; block < 5; ++block) {
    const double keep = 1 - 0.4 * static_cast<double>(block) / 4;
    for (int64_t branch = 0; branch < 2; ++branch) {
      const at::Tensor factors = path.scale(block, branch);
      const at::Tensor kept = factors.gt(0);
      expectClose("factor", factors.masked_select(kept), at::full({kept.sum().item<int64_t>()}, 1 / keep), 1e-6);
      const double share = kept.to(at::kDouble).mean().item<double>(), error = std::sqrt(keep * (1 - keep) / batch);
      CAE_CHECK(std::abs(share - keep) < 4 * error, "TEST", "block ", block, " keeps ", share, ", wanted ", keep);
    }
  }
}

/// A sample draws by its place in the global batch, however that is split.
void splitsDoNotMatter() {
  const DropPath whole = draw(6), rest = draw(4, DropPathStack::kEncoder, {.seed = 3, .step = 7, .firstPosition = 2});
  for (int64_t block = 1; block < 5; ++block) {
    expectClose("rest", rest.scale(block, 1), whole.scale(block, 1).narrow(0, 2, 4), 0);
  }
}

void streamsDiffer() {
  const auto all = [](const DropPath& path) {
    return at::stack({path.scale(1, 0), path.scale(2, 0), path.scale(3, 1), path.scale(4, 1)});
  };
  const at::Tensor first = all(draw(64));
  for (const DropPath& other : {draw(64, DropPathStack::kTarget), draw(64, DropPathStack::kRegressor),
                                draw(64, DropPathStack::kEncoder, {.seed = 3, .step = 8, .firstPosition = 0}),
                                draw(64, DropPathStack::kEncoder, {.seed = 4, .step = 7, .firstPosition = 0})}) {
    CAE_CHECK(!at::equal(first, all(other)), "TEST", "two streams are equal");
  }
  CAE_CHECK(at::equal(first, all(draw(64))), "TEST", "one stream is not itself");
}

}  // namespace

int main() {
  return runAll({{"the first block never drops, nor does evaluation", firstBlockNeverDrops},
                 {"rates rise linearly, and what is kept is scaled up", ratesRiseLinearly},
                 {"draws do not depend on how a batch is split", splitsDoNotMatter},
                 {"stacks, steps and seeds draw from streams of their own", streamsDiffer}});
}
