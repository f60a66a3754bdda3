#include "methods/cae.h"

#include <ATen/ATen.h>

#include <cmath>

#include "base/check.h"
#include "model/init.h"
#include "model/pretext_neck.h"
#include "ops/patches.h"

namespace cae {
namespace {

enum class Target { kPixels, kTokens, kLatents };
enum class TargetWeights { kShared, kLagged };

struct CaeConfig {
  EncoderConfig encoder;
  NeckConfig neck;
  Target target;
  bool normalizeTarget;
  double latentWeight;          // w of spec/cae.md 10.4
  double alignWeight;           // lambda of spec/cae.md 2.2
  TargetWeights targetWeights;  // spec/cae.md 1.9
  double targetMomentum;
  bool alignDropPath;  // the target branch draws its own drop path (spec/cae.md 11.4)
  InitRule init;
};

CaeConfig readConfig(ConfigReader& reader) {
  const EncoderConfig encoder = readEncoderConfig(reader);
  const int64_t dim = reader.integer("decoderDim");
  const auto target = static_cast<Target>(reader.choice("target", {"pixels", "tokens", "latents"}));
  const int64_t outputs[] = {3 * encoder.patchSize * encoder.patchSize, reader.integer("vocabSize"),
                             reader.integer("latentDim")};
  const double mlpRatio = static_cast<double>(encoder.block.mlpHidden) / static_cast<double>(encoder.block.dim);
  return {.encoder = encoder,
          .neck = {.regressorDepth = reader.integer("regressorDepth"),
                   .decoderDepth = reader.integer("decoderDepth"),
                   .block = {.dim = dim,
                             .numHeads = reader.integer("decoderHeads"),
                             .mlpHidden = std::llround(static_cast<double>(dim) * mlpRatio),
                             .layerNormEps = encoder.block.layerNormEps,
                             .layerScaleInit = reader.real("decoderLayerScaleInit"),
                             .keyBias = encoder.block.keyBias,
                             .activation = encoder.block.activation},
                   .dropPath = encoder.dropPath,
                   .outputs = outputs[static_cast<size_t>(target)]},
          .target = target,
          .normalizeTarget = reader.flag("normalizeTarget"),
          .latentWeight = reader.real("latentWeight"),
          .alignWeight = reader.real("alignWeight"),
          .targetWeights = static_cast<TargetWeights>(reader.choice("targetWeights", {"shared", "lagged"})),
          .targetMomentum = reader.real("targetMomentum"),
          .alignDropPath = reader.flag("alignDropPath"),
          .init = static_cast<InitRule>(reader.choice("init", {"xavier", "truncated"}))};
}

/// All tensors under their checkpoint names (spec/cae.md 1.11, naming A).
class CaeNetwork : public torch::nn::Module {
 public:
  explicit CaeNetwork(const CaeConfig& c)
      : mask_token(register_parameter("mask_token", at::empty({1, 1, c.neck.block.dim}))),
        encoder(register_module("encoder", Encoder(c.encoder))),
        pretext_neck(register_module("pretext_neck", PretextNeck(c.neck))) {
    if (c.targetWeights == TargetWeights::kLagged) {
      teacher = register_module("teacher", Encoder(c.encoder));
      for (auto& p : teacher->parameters()) p.set_requires_grad(false);
    }
    if (c.neck.block.dim != c.encoder.block.dim) {
      encoder_to_decoder = register_module("encoder_to_decoder", Linear(c.encoder.block.dim, c.neck.block.dim, true));
      encoder_to_decoder_norm = register_module("encoder_to_decoder_norm", Norm(c.neck.block.dim));
    }
  }

  at::Tensor mask_token;
  Encoder encoder;
  PretextNeck pretext_neck;
  Encoder teacher{nullptr};            // only with lagged target weights
  Linear encoder_to_decoder{nullptr};  // only where the widths differ
  Norm encoder_to_decoder_norm{nullptr};
};

class ContextAutoencoder : public Method {
 public:
  ContextAutoencoder(const CaeConfig& config, const at::Device& device) : config_(config), net_(config) {
    const EncoderConfig& e = config.encoder;
    // Positions at the width of regressor and decoder; recomputed, never stored (naming A).
    positions_ = e.sincosTable(config.neck.block.dim)[0].narrow(0, 1, e.numPatches()).to(device);
    net_.to(device);
  }

  void initialise(uint64_t seed) override {
    initialiseWeights(net_, config_.init, seed);
    if (!net_.teacher.is_empty()) copyToTeacher(0.0);
  }

  void check(const Batch& batch) const override {
    CAE_CHECK(batch.mask.defined(), "ERR_CAE_SHAPE", "the batch has no mask: pre-training hides patches");
    if (config_.target == Target::kTokens) checkIds(batch);
    if (config_.target == Target::kLatents) checkLatents(batch);
  }

  Losses forward(const Batch& batch, const ForwardArgs& args) override {
    const Pass pass = {.dtype = args.dtype, .trace = args.trace};
    const Tokens tokens = split(net_.encoder->patches(batch.images), batch.mask);
    pass.record("pos_embed", net_.encoder->pos_embed);

    const at::Tensor encoded = net_.encoder->forward(
        tokens.visible, tokens.split.visible, dropPath(args, DropPathStack::kEncoder, tokens.masked), pass, "encoder");
    pass.record("encoder_out", encoded);
    const at::Tensor projected = project(encoded, pass);
    if (!net_.encoder_to_decoder.is_empty()) pass.record("encoder_proj", projected);
    if (config_.target == Target::kLatents) return latentLoss(projected, tokens, batch, args, pass);
    const at::Tensor target = alignTarget(tokens, args, pass);  // [B, Nm, E]
    pass.record("latent_target", target);

    const at::Tensor predicted = regress(projected, tokens, args, pass);  // [B, Nm, E]
    pass.record("latent_pred", predicted);
    const at::Tensor maskedPositions = ops::gatherTokens(positions_, tokens.split.masked);
    const at::Tensor out =
        net_.pretext_neck->decode(predicted, maskedPositions, dropPath(args, DropPathStack::kDecoder, predicted), pass);
    const at::Tensor rows = out.flatten(0, 1);  // [B·Nm, outputs], batch-major
    pass.record("logits", rows);

    Losses losses = mainLoss(rows, tokens, batch);
    const at::Tensor align = at::mse_loss(predicted, target) * config_.alignWeight;
    losses.metrics["loss_align"] = align.detach();
    losses.total = losses.metrics.at("loss_main") + align;
    losses.metrics["loss_main"] = losses.metrics.at("loss_main").detach();
    losses.metrics["loss"] = losses.total.detach();
    return losses;
  }

  void followNetwork() override {
    if (!net_.teacher.is_empty()) copyToTeacher(config_.targetMomentum);
  }

  at::Tensor reconstruct(const Batch& batch, bool full) override {
    CAE_CHECK(config_.target != Target::kLatents, "ERR_CAE_OPTION", "a model of latents has no decoder");
    const at::NoGradGuard noGrad;
    const ForwardArgs args = {
        .dtype = at::kFloat, .isTraining = false, .key = {}, .stepSamples = 0, .schedule = {}, .trace = {}};
    const Pass pass = {.dtype = args.dtype, .trace = {}};
    const at::Tensor patches = net_.encoder->patches(batch.images);
    if (full) {
      const at::Tensor all = project(net_.encoder->forward(patches, {}, {}, pass, "encoder"), pass);
      return net_.pretext_neck->decode(all.narrow(1, 1, patches.size(1)), positions_, {}, pass);
    }
    CAE_CHECK(batch.mask.defined(), "ERR_CAE_SHAPE", "a masked reconstruction needs a mask");
    const Tokens tokens = split(patches, batch.mask);
    const at::Tensor encoded = net_.encoder->forward(tokens.visible, tokens.split.visible, {}, pass, "encoder");
    const at::Tensor predicted = regress(project(encoded, pass), tokens, args, pass);
    return net_.pretext_neck->decode(predicted, ops::gatherTokens(positions_, tokens.split.masked), {}, pass);
  }

  Encoder& encoder() override { return net_.encoder; }
  torch::nn::Module& network() override { return net_; }

 private:
  void checkIds(const Batch& batch) const {
    CAE_CHECK(batch.ids.defined(), "ERR_CAE_SHAPE", "the batch has no token ids, which this model predicts");
    CAE_CHECK(batch.ids.sizes() == batch.mask.sizes(), "ERR_CAE_SHAPE", "the token ids have the shape ",
              batch.ids.sizes(), ", the mask ", batch.mask.sizes());
    const auto [lowest, highest] = at::aminmax(batch.ids);
    const int64_t low = lowest.item<int64_t>(), high = highest.item<int64_t>();
    CAE_CHECK(low >= 0 && high < config_.neck.outputs, "ERR_CAE_SHAPE", "a token id is ", low < 0 ? low : high,
              ", the model has the ids 0 to ", config_.neck.outputs - 1);
  }

  void checkLatents(const Batch& batch) const {
    CAE_CHECK(batch.latents.defined(), "ERR_CAE_SHAPE", "the batch has no latents, which this model predicts");
    const std::vector<int64_t> wanted = {batch.images.size(0), 1 + config_.encoder.numPatches(), config_.neck.outputs};
    CAE_CHECK(batch.latents.sizes() == at::IntArrayRef(wanted), "ERR_CAE_SHAPE", "the latents have the shape ",
              batch.latents.sizes(), ", the model wants ", at::IntArrayRef(wanted));
  }

  /// The two halves of a batch's patches.
  struct Tokens {
    ops::TokenSplit split;
    at::Tensor visible;  // [B, Nv, 3·P·P]
    at::Tensor masked;   // [B, Nm, 3·P·P]
  };

  /// patches: [B, N, 3·P·P].
  Tokens split(const at::Tensor& patches, const at::Tensor& mask) const {
    const bool fits = mask.dim() == 2 && mask.size(0) == patches.size(0) && mask.size(1) == patches.size(1);
    CAE_CHECK(fits, "ERR_CAE_SHAPE", "the mask has the shape ", mask.sizes(), ", the images want [", patches.size(0),
              ", ", patches.size(1), "]");
    const ops::TokenSplit split = ops::splitTokens(mask, patches.device());
    CAE_CHECK(split.masked.size(1) > 0 && split.visible.size(1) > 0, "ERR_CAE_SHAPE",
              "a mask hides at least one patch and leaves at least one, this one hides ", split.masked.size(1), " of ",
              patches.size(1));
    return {.split = split,
            .visible = ops::gatherTokens(patches, split.visible),
            .masked = ops::gatherTokens(patches, split.masked)};
  }

  DropPath dropPath(const ForwardArgs& args, DropPathStack stack, const at::Tensor& like) const {
    if (!args.isTraining) return {};
    const bool regressor = stack == DropPathStack::kRegressor, decoder = stack == DropPathStack::kDecoder;
    const int64_t depth = regressor ? config_.neck.regressorDepth
                          : decoder ? config_.neck.decoderDepth
                                    : config_.encoder.depth;
    return {config_.encoder.dropPath, depth, like.size(0), stack, args.key, like.device()};
  }

  /// Encoder width to decoder width (spec/cae.md 1.5); nothing where they are equal.
  at::Tensor project(const at::Tensor& x, const Pass& pass) {
    if (net_.encoder_to_decoder.is_empty()) return x;
    const at::Tensor wide =
        net_.encoder_to_decoder->product(x, pass.dtype).to(x.scalar_type()) + net_.encoder_to_decoder->bias;
    return at::layer_norm(wide, {wide.size(2)}, net_.encoder_to_decoder_norm->weight,
                          net_.encoder_to_decoder_norm->bias, config_.neck.block.layerNormEps);
  }

  /// What the regressor should predict: the masked patches through the target encoder, class token dropped, no
  /// gradient.
  at::Tensor alignTarget(const Tokens& tokens, const ForwardArgs& args, const Pass& pass) {
    const at::NoGradGuard noGrad;
    Encoder& encoder = net_.teacher.is_empty() ? net_.encoder : net_.teacher;
    const DropPath drop = config_.alignDropPath ? dropPath(args, DropPathStack::kTarget, tokens.masked) : DropPath();
    const at::Tensor out = encoder->forward(tokens.masked, tokens.split.masked, drop, pass, "target");
    return project(out, pass).narrow(1, 1, tokens.masked.size(1));
  }

  at::Tensor regress(const at::Tensor& projected, const Tokens& tokens, const ForwardArgs& args, const Pass& pass) {
    return net_.pretext_neck->represent(regressorStream(projected, tokens, args, pass));
  }

  at::Tensor regressorStream(const at::Tensor& projected, const Tokens& tokens, const ForwardArgs& args,
                             const Pass& pass) {
    const at::Tensor visible = projected.narrow(1, 1, tokens.visible.size(1)).contiguous();
    const CrossBlockImpl::Context context = {
        .visible = visible,
        .placedVisible = visible + ops::gatherTokens(positions_, tokens.split.visible),
        .positions = ops::gatherTokens(positions_, tokens.split.masked)};
    const at::Tensor query =
        net_.mask_token.expand({projected.size(0), tokens.masked.size(1), net_.mask_token.size(2)});
    return net_.pretext_neck->regress(query, context, dropPath(args, DropPathStack::kRegressor, projected), pass);
  }

  /// Cross-entropy with token ids, or squared error of normalised pixels (spec/cae.md 2.1, 1.7), in float32; and the
  /// same relative to what knowing nothing gives: all ids alike, or the mean of the pixels for every pixel.
  Losses mainLoss(const at::Tensor& rows, const Tokens& tokens, const Batch& batch) const {
    Losses losses;
    if (config_.target == Target::kTokens) {
      const at::Tensor ids = batch.ids.to(at::kLong).gather(1, tokens.split.masked).flatten();  // [B·Nm]
      losses.metrics["loss_main"] = at::cross_entropy_loss(rows, ids);
      losses.metrics["relative_loss"] =
          losses.metrics.at("loss_main").detach() / std::log(static_cast<double>(config_.neck.outputs));
      losses.metrics["mlm_acc"] = rows.detach().argmax(1).eq(ids).to(at::kFloat).mean();
      return losses;
    }
    at::Tensor target = ops::channelsLast(tokens.masked).flatten(0, 1);  // [B·Nm, P·P·3]
    if (config_.normalizeTarget) {
      const auto [variance, mean] =
          at::var_mean(target, at::OptionalIntArrayRef(1), /*correction=*/1, /*keepdim=*/true);
      target = (target - mean) / at::sqrt(variance + 1e-6);
    }
    losses.metrics["loss_main"] = at::mse_loss(rows, target);
    losses.metrics["relative_loss"] = losses.metrics.at("loss_main").detach() / varianceOf(target);
    return losses;
  }

  /// Cosine of all tokens to a frozen encoder's latents (spec/cae.md 10.2 to 10.4), in float32. The encoder's output is
  /// normalised a second time, the regressor's for the first: its own norm has no part in it.
  Losses latentLoss(const at::Tensor& projected, const Tokens& tokens, const Batch& batch, const ForwardArgs& args,
                    const Pass& pass) {
    const at::Tensor hidden = regressorStream(projected, tokens, args, pass);  // [B, Nm, E]
    pass.record("latent_pred", hidden);
    const at::Tensor all = at::cat({projected, hidden}, 1);  // [B, 1 + N, E]: class token, visible, masked
    const at::Tensor predicted = toUnitLength(net_.pretext_neck->project(all, pass));
    pass.record("normalised", predicted);
    const at::Tensor cls = at::zeros({batch.images.size(0), 1}, tokens.split.visible.options());
    const at::Tensor order = at::cat({cls, tokens.split.visible + 1, tokens.split.masked + 1}, 1);  // [B, 1 + N]
    const at::Tensor wanted = toUnitLength(ops::gatherTokens(batch.latents, order));
    pass.record("labels_normalised", wanted);

    constexpr double kEps = 1e-12;
    const auto squared = [](const at::Tensor& x) { return at::sum(x * x, 2) + kEps; };
    const at::Tensor cosine = at::sum(predicted * wanted, 2) / at::sqrt(squared(predicted) * squared(wanted));
    Losses losses;
    losses.total = (1 - cosine).mean() * config_.latentWeight;
    losses.metrics["loss"] = losses.metrics["loss_main"] = losses.total.detach();
    losses.metrics["cosine"] = cosine.detach().mean();
    return losses;
  }

  static at::Tensor toUnitLength(const at::Tensor& x) {
    return x / at::linalg_vector_norm(x, 2, at::OptionalIntArrayRef(2), /*keepdim=*/true);
  }

  /// Mean square less squared mean: a step can spare two sweeps through memory, at::var takes many times as long.
  /// Images of a single colour have no variance, hence the bound.
  static at::Tensor varianceOf(const at::Tensor& x) {
    const at::Tensor flat = x.flatten();
    return (flat.dot(flat) / flat.numel() - flat.mean().square()).clamp_min(1e-6);
  }

  /// teacher = momentum · teacher + (1 - momentum) · encoder (spec/cae.md 1.9).
  void copyToTeacher(double momentum) {
    const at::NoGradGuard noGrad;
    const auto from = net_.encoder->parameters(), to = net_.teacher->parameters();
    for (size_t i = 0; i < to.size(); ++i) {
      if (momentum == 0) {
        to[i].copy_(from[i]);
      } else {
        to[i].mul_(momentum).add_(from[i], 1 - momentum);
      }
    }
  }

  CaeConfig config_;
  CaeNetwork net_;
  at::Tensor positions_;  // [N, E]
};

}  // namespace

std::unique_ptr<Method> createContextAutoencoder(ConfigReader& reader, const at::Device& device) {
  return std::make_unique<ContextAutoencoder>(readConfig(reader), device);
}

}  // namespace cae
