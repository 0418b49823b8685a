// A file of safetensors.

#include <algorithm>
#include <cstring>

#include <handrail/train/exchange/safetensors.h>

#include "checkpoint_files.h"
#include "target.h"

using namespace handrail;
using namespace handrail::train;

namespace {

bool same(const NamedTensors& a, const NamedTensors& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.shape() == y.second.shape() &&
           (x.second.size() == 0 || std::memcmp(x.second.data(), y.second.data(), x.second.span().size_bytes()) == 0);
  });
}

void read(std::string_view bytes) {
  fuzz::OneFile file(bytes);
  const Safetensors content = load_safetensors("file", file);
  save_safetensors("file", content.tensors, content.metadata, file);
  const Safetensors again = load_safetensors("file", file);
  fuzz::require(same(again.tensors, content.tensors), "saved again, the tensors differ");
  fuzz::require(again.metadata == content.metadata, "saved again, the metadata differs");
}

}  // namespace

// A byte becomes a Scalar.
const fuzz::Target fuzz::target{.read = read, .memory = {.fixed = 64 << 10, .per_byte = 4}};
