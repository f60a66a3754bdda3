#include <ATen/ATen.h>

#include "base/check.h"
#include "binding/bindings.h"
#include "binding/image_specs.h"
#include "binding/model_handle.h"
#include "binding/submit.h"
#include "binding/to_js.h"

namespace cae::binding {
namespace {

const std::shared_ptr<Executor>& executorOf(Napi::Env env, const Model& model) {
  return EnvData::of(env).executor(model.device.str());
}

}  // namespace

Napi::Value tokenizerEncode(const Napi::CallbackInfo& info) {
  Args args(info, "tokenizerEncode");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, batch] {
        DiscreteVae& tokenizer = model->method->tokenizer();
        tokenizer.checkImages(batch->images);
        return tokenizer.ids(batch->images.to(model->device)).to(at::kInt).cpu();
      },
      tensorToJs);
}

Napi::Value tokenizeBatch(const Napi::CallbackInfo& info) {
  Args args(info, "tokenizeBatch");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, batch] {
        CAE_CHECK(batch->view.defined(), "ERR_CAE_SHAPE", "the batch has no second view to make ids of");
        DiscreteVae& tokenizer = model->method->tokenizer();
        tokenizer.checkImages(batch->view);
        const at::Tensor ids = tokenizer.ids(batch->view.to(model->device)).to(at::kInt).cpu();
        return std::make_shared<Batch>(Batch{.images = batch->images,
                                             .mask = batch->mask,
                                             .ids = ids.flatten(1),
                                             .labels = batch->labels,
                                             .view = {},
                                             .latents = {},
                                             .noise = batch->noise});
      },
      batchToJs);
}

Napi::Value tokenizerDecode(const Napi::CallbackInfo& info) {
  Args args(info, "tokenizerDecode");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const at::Tensor ids = args.tensor(1);
  args.done();
  CAE_CHECK(ids.scalar_type() == at::kInt, "ERR_CAE_SHAPE", "ids are ", ids.scalar_type(), ", wanted is an Int32Array");
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, ids] { return model->method->tokenizer().images(ids.to(at::kLong)).cpu(); }, tensorToJs);
}

Napi::Value tokenizerMeasure(const Napi::CallbackInfo& info) {
  Args args(info, "tokenizerMeasure");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const auto batch = args.handle<Batch>(1, HandleKind::kBatch);
  args.done();
  return submit(
      info.Env(), executorOf(info.Env(), *model),
      [model, batch] {
        model->method->check(*batch);
        return model->method->measure(batch->to(model->device));
      },
      namedTensorsToJs);
}

}  // namespace cae::binding
