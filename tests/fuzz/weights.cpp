// One section of a file of weights behind right checksums, read into a model: its number, then its bytes.

#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/sequential.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/exchange/weights.h>

#include "checkpoint_files.h"
#include "target.h"

using namespace handrail;
using namespace handrail::train;

namespace {

nn::Sequential model_of(std::uint64_t seed) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{2, 3, rng}, nn::BatchNorm1d{3}};
}

std::string saved(const nn::Module& model) { return fuzz::file_of(encode(capture(model))); }

void read(std::string_view input) {
  static const std::vector<Section> sections = encode(capture(model_of(1)));
  nn::Sequential model = model_of(2);
  const std::string before = saved(model);
  fuzz::OneFile file(fuzz::with_section(sections, input));
  try {
    load_weights(model, "file", file);
  } catch (const CheckpointError&) {
    fuzz::require(saved(model) == before, "weights that were refused have changed the model");
    throw;
  }
  save_weights(model, "file", file);
  nn::Sequential other = model_of(3);
  load_weights(other, "file", file);
  fuzz::require(saved(other) == saved(model), "saved again, the weights differ");
}

}  // namespace

const fuzz::Target fuzz::target{.read = read, .memory = {.fixed = 64 << 10, .per_byte = 4}};
