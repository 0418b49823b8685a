// Writes files for other programs, or reads theirs; oracle.py is the other program.
//   exchange_files write FOLDER     weights.safetensors, inputs.npy, outputs.npy, arrays.npz
//   exchange_files read FOLDER      reads what oracle.py wrote and fails unless it is what was written

#include <cmath>
#include <filesystem>
#include <iostream>
#include <string>

#include <handrail/handrail.h>

using namespace handrail;
using namespace handrail::train;

namespace {

nn::Sequential model_of(std::uint64_t seed) {
  Rng rng(seed);
  nn::Sequential model{nn::Linear{5, 7, rng}, nn::BatchNorm1d{7},   nn::GELU{}, nn::LayerNorm{7}, nn::Tanh{},
                       nn::Dropout{},         nn::Linear{7, 3, rng}};
  for (const Buffer& buffer : model.buffers())  // other than their initial values
    for (Index i = 0; i < buffer.tensor.size(); ++i)
      buffer.tensor.mutable_data()[i] = static_cast<Scalar>(0.5 + 0.125 * static_cast<double>(i));
  return model;
}

Tensor inputs() {
  Rng rng(9);
  return normal({11, 5}, 0, 1, rng);
}

void write(const std::filesystem::path& folder) {
  const nn::Sequential model = model_of(1);
  save_weights(model, folder / "weights.safetensors");
  save_npy(folder / "inputs.npy", inputs());
  save_npy(folder / "outputs.npy", model(inputs()));
  save_npz(folder / "arrays.npz", {{"scalar", Tensor::scalar(7)}, {"inputs", inputs()}, {"empty", Tensor({0, 2})}});
}

int failures = 0;
void expect(bool holds, const char* what) {
  if (holds) return;
  std::cout << "not so: " << what << '\n';
  ++failures;
}

double distance(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i])));
  return largest;
}

void read(const std::filesystem::path& folder) {
  nn::Sequential model = model_of(2);
  load_weights(model, folder / "python.safetensors");
  const Tensor y = model(load_npy(folder / "inputs.npy"));
  expect(distance(y, load_npy(folder / "python_outputs.npy")) < 1e-5, "the outputs for weights of Python are equal");
  for (const char* name : {"plain.npz", "deflated.npz"}) {
    const NamedTensors arrays = load_npz(folder / name);
    expect(arrays.size() == 6, "an archive of numpy has its arrays");
    const Tensor& x = arrays.at("c");
    expect(x.shape() == Shape{2, 3, 4}, "an array has its shape");
    for (const char* other : {"fortran", "f8", "i4", "u1"})
      expect(distance(x, arrays.at(other)) == 0, "an array of another type or order has the same numbers");
    expect(arrays.at("bool").size() == 2 && arrays.at("bool").data()[0] == 1, "booleans are 1 and 0");
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  try {
    if (arguments[1] == std::string("write"))
      write(arguments[2]);
    else
      read(arguments[2]);
  } catch (const std::exception& error) {
    std::cout << error.what() << '\n';
    return 1;
  }
  return failures == 0 ? 0 : 1;
}
