#pragma once

#include <memory>

#include "methods/method.h"

namespace cae {

/// The Context Autoencoder (arXiv 2202.03026; spec/cae.md). Reads its keys from `reader`.
std::unique_ptr<Method> createContextAutoencoder(ConfigReader& reader, const at::Device& device);

}  // namespace cae
