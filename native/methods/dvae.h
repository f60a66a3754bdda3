#pragma once

#include <memory>

#include "methods/method.h"

namespace cae {

/// DALL-E's discrete VAE with the objective of its paper (spec/baselines.md 2.6): a tokenizer to be trained. Reads its
/// keys from `reader`.
std::unique_ptr<Method> createDvae(ConfigReader& reader, const at::Device& device);

/// The light discrete VAE with a squared error (spec/baselines.md 2.7).
std::unique_ptr<Method> createLightDvae(ConfigReader& reader, const at::Device& device);

}  // namespace cae
