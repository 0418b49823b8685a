#include <handrail/train/exchange/weights.h>

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <string>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/sequential.h>
#include <handrail/nn/standardize.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/exchange/safetensors.h>

#include "support/check_throws.h"
#include "support/failing_files.h"
#include "support/files.h"
#include "support/tensors.h"

using namespace handrail;
using namespace handrail::train;

namespace {

nn::Sequential model_of(std::uint64_t seed) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{2, 3, rng}, nn::BatchNorm1d{3}, nn::ReLU{}, nn::Linear{3, 3, rng, {.bias = false}}};
}

bool same_weights(const nn::Module& a, const nn::Module& b) {
  const ModelState of_a = capture(a), of_b = capture(b);
  const auto same = [](const NamedTensors& x, const NamedTensors& y) {
    return std::ranges::equal(
        x, y, [](const auto& l, const auto& r) { return l.first == r.first && same_bits(l.second, r.second); });
  };
  return same(of_a.parameters, of_b.parameters) && same(of_a.buffers, of_b.buffers);
}

}  // namespace

TEST_CASE("save_weights writes safetensors with PyTorch's names and shapes when the path says so") {
  const TempDir dir;
  const auto model = model_of(1);
  save_weights(model, dir.path() / "weights.safetensors");
  const Safetensors file = load_safetensors(dir.path() / "weights.safetensors");
  CHECK(file.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : file.tensors) shapes[name] = tensor.shape();
  CHECK(shapes == std::map<std::string, Shape>{{"0.weight", {3, 2}},
                                               {"0.bias", {3}},
                                               {"1.weight", {3}},
                                               {"1.bias", {3}},
                                               {"1.running_mean", {3}},
                                               {"1.running_var", {3}},
                                               {"3.weight", {3, 3}}});
  // [out, in], also where both are 3 and no shape would show the mistake
  const Tensor ours = model.parameters().back().tensor, theirs = file.tensors.at("3.weight");
  for (Index i = 0; i < 3; ++i)
    for (Index j = 0; j < 3; ++j) CHECK(ours.at({i, j}) == theirs.at({j, i}));
}

TEST_CASE("load_weights reads what save_weights wrote, whatever the names of the files are") {
  const TempDir dir;
  const auto model = model_of(1);
  save_weights(model, dir.path() / "a.safetensors");
  save_weights(model, dir.path() / "b.hrc");
  std::filesystem::rename(dir.path() / "a.safetensors", dir.path() / "a");
  std::filesystem::rename(dir.path() / "b.hrc", dir.path() / "b.safetensors");
  for (const char* name : {"a", "b.safetensors"}) {
    auto other = model_of(2);
    CHECK_FALSE(same_weights(model, other));
    load_weights(other, dir.path() / name);
    CHECK(same_weights(model, other));
  }
}

TEST_CASE("a file of PyTorch with num_batches_tracked loads into a model that is not a Sequential, too") {
  struct Mlp : nn::Module {
    explicit Mlp(Rng& rng) : hidden(add("hidden", nn::Linear{2, 3, rng})), norm(add("norm", nn::BatchNorm1d{3})) {}
    nn::Linear& hidden;
    nn::BatchNorm1d& norm;
  };
  const TempDir dir;
  save_safetensors(dir.path() / "weights.safetensors", {{"hidden.weight", Tensor({3, 2}, {1, 2, 3, 4, 5, 6})},
                                                        {"hidden.bias", Tensor({3}, {7, 8, 9})},
                                                        {"norm.weight", Tensor::ones({3})},
                                                        {"norm.bias", Tensor::zeros({3})},
                                                        {"norm.running_mean", Tensor({3}, {1, 2, 3})},
                                                        {"norm.running_var", Tensor({3}, {4, 5, 6})},
                                                        {"norm.num_batches_tracked", Tensor::scalar(17)}});
  Rng rng(1);
  Mlp model(rng);
  load_weights(model, dir.path() / "weights.safetensors");
  CHECK(same_bits(model.hidden.weight, Tensor({2, 3}, {1, 3, 5, 2, 4, 6})));
  CHECK(same_bits(model.norm.running_mean, Tensor({3}, {1, 2, 3})));
}

TEST_CASE("load_weights lists everything that does not fit and leaves the model as it was") {
  const TempDir dir;
  const auto path = dir.path() / "weights.safetensors";
  auto model = model_of(1);
  const auto before = model_of(1);
  save_safetensors(
      path,
      {{"0.weight", Tensor::zeros({4, 2})}, {"0.bias", Tensor::zeros({3})}, {"classifier.bias", Tensor::zeros({3})}});
  check_throws<CheckpointError>([&] { load_weights(model, path); }, "load_weights: '" + path.string() + "'",
                                "parameter '0.weight': want [2, 3]; got [2, 4]", "missing: parameter '3.weight'",
                                "missing: buffer '1.running_mean'", "unknown: buffer 'classifier.bias' [3]");
  dir.write("weights.safetensors", "\x10");
  check_throws<CheckpointError>([&] { load_weights(model, path); }, "want the length of a header");
  auto tensors = capture(before).parameters;
  tensors.merge(NamedTensors(capture(before).buffers));
  for (const char* name : {"0.weight", "3.weight"}) {
    const Shape shape = tensors.at(name).shape();
    tensors.at(name) = Tensor::full({shape[1], shape[0]}, std::numeric_limits<Scalar>::infinity());
  }
  save_safetensors(path, tensors);
  check_throws<CheckpointError>([&] { load_weights(model, path); }, "parameter '0.weight' [2, 3]: want finite values");
  CHECK(same_weights(model, before));
}

TEST_CASE("scales of a layer travel with safetensors") {
  const TempDir dir;
  auto model = model_of(1), other = model_of(2);
  model.set_input_scale(std::make_shared<nn::Standardize>(nn::Standardize::fit(Tensor({3, 2}, {1, 2, 3, 4, 5, 7}))));
  save_weights(model, dir.path() / "weights.safetensors");
  load_weights(other, dir.path() / "weights.safetensors");
  REQUIRE(other.input_scale());
  const Tensor x({1, 2}, {2, 9});
  CHECK(same_bits(model(x), other(x)));
}

TEST_CASE("save_weights adds what is known of the model as texts") {
  const TempDir dir;
  const ModelInfo info{.task = Task::multiclass,
                       .input_shape = {1, 2},
                       .normalization = Normalization{.mean = 0.25, .stddev = 0.1},
                       .class_names = {"cat", "\"dog\""},
                       .class_weights = {1, 2.5}};
  save_weights(model_of(1), info, dir.path() / "weights.safetensors");
  CHECK(load_safetensors(dir.path() / "weights.safetensors").metadata ==
        std::map<std::string, std::string>{{"format", "pt"},
                                           {"task", "multiclass"},
                                           {"input_shape", "[1,2]"},
                                           {"normalization.mean", "0.25"},
                                           {"normalization.stddev", "0.1"},
                                           {"class_names", "[\"cat\",\"\\\"dog\\\"\"]"},
                                           {"class_weights", "[1.0,2.5]"}});
  check_throws<OptionError>([&] { save_weights(model_of(1), info, dir.path() / "weights.hrc"); }, ".safetensors");
}

TEST_CASE("whichever system call fails, the file of safetensors is the old or the new one") {
  const TempDir dir;
  const auto path = dir.path() / "weights.safetensors";
  save_weights(model_of(1), path);
  for (int nth = 1;; ++nth) {
    CAPTURE(nth);
    FailingFiles files(nth);
    bool failed = false;
    try {
      save_weights(model_of(2), path, files);
    } catch (const CheckpointError&) {
      failed = true;
    }
    auto read = model_of(3);
    load_weights(read, path);
    CHECK((same_weights(read, model_of(1)) || same_weights(read, model_of(2))));
    if (!files.failed()) {
      CHECK_FALSE(failed);
      break;
    }
    save_weights(model_of(1), path);
  }
}
