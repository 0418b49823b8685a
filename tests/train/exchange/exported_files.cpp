// Writes models as headers and as ONNX files, and what the models return: header.sh and onnx_check.py compare.
//   exported_files FOLDER     NAME.h, NAME.onnx, NAME.inputs, NAME.outputs for each NAME in models(), which is printed
//   exported_files fuses      fails unless the kernels of this processor fuse products and sums

#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include <handrail/handrail.h>

using namespace handrail;
using namespace handrail::train;

namespace {

struct Case {
  std::shared_ptr<nn::Sequential> model;
  ModelInfo info;
  Tensor inputs;
};

template <class... Layers>
std::shared_ptr<nn::Sequential> sequential(Layers&&... layers) {
  return std::make_shared<nn::Sequential>(std::forward<Layers>(layers)...);
}

// Numbers of all sizes that a model may meet.
Tensor spread(const Shape& shape, Rng& rng) {
  Tensor x = normal(shape, 0, 1, rng);
  for (Index i = 0; i < x.size(); i += 7) x.mutable_data()[i] *= 40;
  for (Index i = 3; i < x.size(); i += 11) x.mutable_data()[i] *= 1e-20F;
  for (Index i = 5; i < x.size(); i += 23) x.mutable_data()[i] = -0.0F;
  return x;
}

// Parameters and buffers other than the initial ones.
void shake(nn::Module& model, Rng& rng) {
  for (const Parameter& p : model.parameters())
    for (Scalar& value : p.tensor.mutable_span()) value += static_cast<Scalar>(rng.uniform() * 0.2 - 0.1);
  for (const Buffer& b : model.buffers())
    if (b.name.ends_with("running_mean") || b.name.ends_with("running_var"))
      for (Scalar& value : b.tensor.mutable_span()) value += static_cast<Scalar>(rng.uniform());
}

std::map<std::string, Case> models() {
  Rng rng(3);
  std::map<std::string, Case> all;
  const Tensor x = spread({50, 21}, rng);
  const Tensor codes = Tensor::full({21}, -999), coded = Tensor({21}, std::vector<Scalar>(21, 1));
  Tensor with_codes = x.clone();
  for (Index i = 0; i < x.size(); i += 13) with_codes.mutable_data()[i] = -999;
  all["layers"] = {
      .model = sequential(nn::Impute::fit(with_codes, codes, coded), nn::Standardize::fit(with_codes, {.robust = true}),
                          nn::Linear{21, 37, rng}, nn::BatchNorm1d{37}, nn::GELU{}, nn::Dropout{},
                          nn::Linear{37, 33, rng, {.bias = false}}, nn::LayerNorm{33}, nn::Tanh{},
                          nn::Linear{33, 40, rng}, nn::Softplus{}, nn::Linear{40, 40, rng}, nn::Sigmoid{},
                          nn::Linear{40, 16, rng}, nn::ReLU{}, nn::Linear{16, 4, rng}),
      .info = {.task = Task::multiclass, .input_shape = {21}, .class_names = {"one", "\"two\"\\", "\xC3\xA4", "4?\?/"}},
      .inputs = with_codes};
  const Tensor narrow = normal({60, 5}, 3, 20, rng), targets = normal({60, 2}, -5, 9, rng);
  all["scales"] = {.model = sequential(nn::Standardize::fit(narrow, {.whiten = true}), nn::Linear{5, 2, rng},
                                       nn::Standardize::fit(targets, {.whiten = true, .invert = true})),
                   .info = {},
                   .inputs = narrow};
  all["scales"].model->set_input_scale(std::make_shared<nn::Standardize>(nn::Standardize::fit(narrow)));
  all["scales"].model->set_output_scale(
      std::make_shared<nn::Standardize>(nn::Standardize::fit(targets, {.invert = true})));
  all["wide"] = {.model = sequential(nn::Flatten{}, nn::LayerNorm{9000}, nn::Linear{9000, 3, rng}),
                 .info = {.input_shape = {9, 10, 100}, .normalization = Normalization{.mean = 0.3, .stddev = 0.2}},
                 .inputs = normal({4, 9, 10, 100}, 1, 2, rng)};
  all["sequences"] = {.model = sequential(nn::Linear{5, 6, rng}, nn::LayerNorm{6}, nn::GELU{}, nn::Linear{6, 3, rng},
                                          nn::Flatten{}, nn::Linear{12, 2, rng}),
                      .info = {.input_shape = {4, 5}},
                      .inputs = normal({9, 4, 5}, 0, 1, rng)};
  all["functions"] = {
      .model = sequential(nn::GELU{}), .info = {.input_shape = {50}}, .inputs = spread({3000, 50}, rng)};
  all["functions_tanh"] = {
      .model = sequential(nn::Tanh{}), .info = {.input_shape = {50}}, .inputs = spread({3000, 50}, rng)};
  all["functions_softplus"] = {
      .model = sequential(nn::Softplus{}), .info = {.input_shape = {50}}, .inputs = spread({3000, 50}, rng)};
  all["functions_sigmoid"] = {
      .model = sequential(nn::Sigmoid{}), .info = {.input_shape = {50}}, .inputs = spread({3000, 50}, rng)};
  for (auto& [name, one] : all) shake(*one.model, rng);
  return all;
}

void write(const std::filesystem::path& path, const Tensor& tensor) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(tensor.data()), static_cast<std::streamsize>(tensor.span().size_bytes()));
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

// (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24 when it is rounded once.
bool kernels_fuse() {
  const Tensor x({1, 1}, {1 + 0x1p-12F});
  return linear(x, x, Tensor({1}, {-1 - 0x1p-11F})).item() != 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  if (arguments[1] == std::string("fuses")) return kernels_fuse() ? 0 : 1;
  const std::filesystem::path folder = arguments[1];
  for (const auto& [name, one] : models()) {
    export_header(*one.model, one.info, folder / (name + ".h"), {.name = "exported"});
    export_onnx(*one.model, one.info, folder / (name + ".onnx"));
    write(folder / (name + ".inputs"), one.inputs);
    write(folder / (name + ".outputs"), (*one.model)(one.inputs));
    std::cout << name << '\n';
  }
}
