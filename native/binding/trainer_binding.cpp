#include <ATen/ATen.h>

#include "binding/bindings.h"
#include "binding/model_handle.h"
#include "binding/submit.h"
#include "binding/submit_copies.h"
#include "binding/to_js.h"
#include "train/trainer.h"

namespace cae::binding {
namespace {

struct TrainerBox {
  std::shared_ptr<Trainer> trainer;
  std::shared_ptr<Executor> executor;
};

TrainerBox trainerOf(Args& args, size_t position) {
  auto trainer = args.handle<Trainer>(position, HandleKind::kTrainer);
  return {.trainer = std::move(trainer), .executor = handleBox(args.value(position)).executor};
}

Hyper readHyper(const Napi::Value& value) {
  CAE_CHECK(value.IsObject(), "ERR_CAE_INTERNAL", "hyper is not an object");
  const auto object = value.As<Napi::Object>();
  const Config config = configFromJs(object, "schedule");
  ConfigReader reader(config, "hyper");
  const Hyper hyper = {.step = reader.integer("step"),
                       .lr = reader.real("lr"),
                       .weightDecay = reader.real("weightDecay"),
                       .clipNorm = reader.real("clipNorm"),
                       .seed = static_cast<uint64_t>(reader.integer("seed")),
                       .firstPosition = reader.integer("firstPosition"),
                       .schedule = scheduleFromJs(object.Get("schedule"))};
  reader.done();
  return hyper;
}

Napi::Value resultToJs(Napi::Env env, const StepResult& result) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("values", numbersToJs(env, result.values));
  out.Set("skipped", Napi::Boolean::New(env, result.skipped));
  out.Set("computeNs", Napi::Number::New(env, static_cast<double>(result.computeNs)));
  return out;
}

Napi::Array findingsToJs(Napi::Env env, const std::vector<TensorFinding>& findings) {
  Napi::Array out = Napi::Array::New(env, findings.size());
  for (size_t i = 0; i < findings.size(); ++i) {
    Napi::Object one = Napi::Object::New(env);
    one.Set("name", Napi::String::New(env, findings[i].name));
    one.Set("nonFinite", Napi::Number::New(env, static_cast<double>(findings[i].nonFinite)));
    one.Set("largest", Napi::Number::New(env, findings[i].largest));
    out.Set(static_cast<uint32_t>(i), one);
  }
  return out;
}

}  // namespace

Napi::Value createTrainer(const Napi::CallbackInfo& info) {
  Args args(info, "createTrainer");
  const auto model = args.handle<Model>(0, HandleKind::kModel);
  const Config config = args.config(1);
  args.done();
  ConfigReader reader(config, "trainer");
  const at::ScalarType dtype = parsePrecision(reader.word("precision"));
  const AdamWConfig adamw = {.beta1 = reader.real("beta1"), .beta2 = reader.real("beta2"), .eps = reader.real("eps")};
  reader.done();
  const auto executor = handleBox(info[0]).executor;
  return submit(
      info.Env(), executor,
      [model, dtype, adamw] {
        if (!model->trainer.expired()) {
          throw Error("ERR_CAE_BUSY", "this model already has a trainer", "", "dispose the first trainer");
        }
        auto trainer = std::make_shared<Trainer>(model->method, dtype, adamw);
        model->trainer = trainer;
        return trainer;
      },
      [executor](Napi::Env env, const std::shared_ptr<Trainer>& trainer) {
        int64_t bytes = 0;
        for (const auto& t : trainer->tensors()) bytes += static_cast<int64_t>(t.tensor.nbytes());
        return makeHandle(env, HandleKind::kTrainer, trainer, executor, bytes);
      });
}

Napi::Value step(const Napi::CallbackInfo& info) {
  Args args(info, "step");
  const TrainerBox box = trainerOf(args, 0);
  const auto batches = args.handles<Batch>(1, HandleKind::kBatch);
  const Hyper hyper = readHyper(args.value(2));
  args.done();
  return submit(
      info.Env(), box.executor, [trainer = box.trainer, batches, hyper] { return trainer->step(batches, hyper); },
      resultToJs);
}

Napi::Value examineStep(const Napi::CallbackInfo& info) {
  Args args(info, "examineStep");
  const TrainerBox box = trainerOf(args, 0);
  const auto batches = args.handles<Batch>(1, HandleKind::kBatch);
  const Hyper hyper = readHyper(args.value(2));
  args.done();
  return submit(
      info.Env(), box.executor, [trainer = box.trainer, batches, hyper] { return trainer->examine(batches, hyper); },
      [](Napi::Env env, const StepFindings& findings) {
        Napi::Object out = Napi::Object::New(env);
        out.Set("values", numbersToJs(env, findings.values));
        out.Set("weights", findingsToJs(env, findings.weights));
        out.Set("activations", findingsToJs(env, findings.activations));
        out.Set("gradients", findingsToJs(env, findings.gradients));
        return out;
      });
}

Napi::Value trainerTensors(const Napi::CallbackInfo& info) {
  Args args(info, "trainerTensors");
  const TrainerBox box = trainerOf(args, 0);
  args.done();
  return tensorInfosToJs(info.Env(), box.trainer->tensors());
}

Napi::Value trainerRead(const Napi::CallbackInfo& info) {
  Args args(info, "trainerRead");
  const TrainerBox box = trainerOf(args, 0);
  const auto names = args.texts(1);
  args.done();
  return submitCopies(info.Env(), box.executor,
                      [trainer = box.trainer, names] { return pick(trainer->tensors(), names); });
}

Napi::Value trainerWrite(const Napi::CallbackInfo& info) {
  Args args(info, "trainerWrite");
  const TrainerBox box = trainerOf(args, 0);
  const auto names = args.texts(1);
  KeepAlive keep;
  const auto values = args.tensors(2, keep);
  const int64_t updates = args.integer(3);
  args.done();
  return submit(
      info.Env(), box.executor,
      [trainer = box.trainer, names, values, updates] {
        writeTensors(trainer->tensors(), names, values);
        trainer->setUpdates(updates);
        return Nothing{};
      },
      nothingToJs, std::move(keep));
}

Napi::Value trainerUpdates(const Napi::CallbackInfo& info) {
  Args args(info, "trainerUpdates");
  const TrainerBox box = trainerOf(args, 0);
  args.done();
  return submit(
      info.Env(), box.executor, [trainer = box.trainer] { return trainer->updates(); },
      [](Napi::Env env, int64_t updates) { return Napi::Number::New(env, static_cast<double>(updates)); });
}

}  // namespace cae::binding
