#pragma once

#include <napi.h>

/// The functions of the border, grouped by the file that defines them. addon.cpp holds the table of all of them.
namespace cae::binding {

// runtime_binding.cpp
Napi::Value version(const Napi::CallbackInfo& info);
Napi::Value nativeUse(const Napi::CallbackInfo& info);
Napi::Value configure(const Napi::CallbackInfo& info);
Napi::Value shutdown(const Napi::CallbackInfo& info);
Napi::Value dispose(const Napi::CallbackInfo& info);

// model_binding.cpp
Napi::Value createModel(const Napi::CallbackInfo& info);
Napi::Value modelTensors(const Napi::CallbackInfo& info);
Napi::Value modelRead(const Napi::CallbackInfo& info);
Napi::Value modelWrite(const Napi::CallbackInfo& info);
Napi::Value modelFill(const Napi::CallbackInfo& info);
Napi::Value modelForward(const Napi::CallbackInfo& info);
Napi::Value modelEncodeBatch(const Napi::CallbackInfo& info);
Napi::Value addLatents(const Napi::CallbackInfo& info);
Napi::Value modelAttention(const Napi::CallbackInfo& info);
Napi::Value modelReconstruct(const Napi::CallbackInfo& info);

// tokenizer_binding.cpp
Napi::Value tokenizerEncode(const Napi::CallbackInfo& info);
Napi::Value tokenizeBatch(const Napi::CallbackInfo& info);
Napi::Value tokenizerDecode(const Napi::CallbackInfo& info);
Napi::Value tokenizerMeasure(const Napi::CallbackInfo& info);

// trainer_binding.cpp
Napi::Value createTrainer(const Napi::CallbackInfo& info);
Napi::Value step(const Napi::CallbackInfo& info);
Napi::Value examineStep(const Napi::CallbackInfo& info);
Napi::Value trainerTensors(const Napi::CallbackInfo& info);
Napi::Value trainerRead(const Napi::CallbackInfo& info);
Napi::Value trainerWrite(const Napi::CallbackInfo& info);
Napi::Value trainerUpdates(const Napi::CallbackInfo& info);

// task_binding.cpp
Napi::Value modelFeatures(const Napi::CallbackInfo& info);
Napi::Value featureSpread(const Napi::CallbackInfo& info);
Napi::Value nearestNeighbors(const Napi::CallbackInfo& info);
Napi::Value createLinearProbe(const Napi::CallbackInfo& info);
Napi::Value linearProbeStep(const Napi::CallbackInfo& info);
Napi::Value linearProbeLogits(const Napi::CallbackInfo& info);
Napi::Value linearProbeRead(const Napi::CallbackInfo& info);
Napi::Value linearProbeWrite(const Napi::CallbackInfo& info);

// image_binding.cpp
Napi::Value collate(const Napi::CallbackInfo& info);
Napi::Value createBatch(const Napi::CallbackInfo& info);
Napi::Value joinBatches(const Napi::CallbackInfo& info);
Napi::Value readBatch(const Napi::CallbackInfo& info);
Napi::Value resizeImage(const Napi::CallbackInfo& info);
Napi::Value drawMasks(const Napi::CallbackInfo& info);
Napi::Value drawCrops(const Napi::CallbackInfo& info);
Napi::Value replayMask(const Napi::CallbackInfo& info);
Napi::Value replayCrop(const Napi::CallbackInfo& info);
Napi::Value randomNumbers(const Napi::CallbackInfo& info);

}  // namespace cae::binding
