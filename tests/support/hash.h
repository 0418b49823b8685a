#pragma once

#include <cstdint>
#include <cstring>

#include <handrail/nn/module.h>

/// FNV-1a over the bits of all parameters and buffers.
inline std::uint64_t hash_of(const handrail::nn::Module& model) {
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&](const handrail::Tensor& tensor) {
    for (const handrail::Scalar value : tensor.span()) {
      unsigned char bytes[sizeof value];
      std::memcpy(bytes, &value, sizeof value);
      for (const unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211u;
    }
  };
  for (const auto& parameter : model.parameters()) add(parameter.tensor);
  for (const auto& buffer : model.buffers()) add(buffer.tensor);
  return hash;
}
