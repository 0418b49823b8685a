#include <handrail/train/exchange/onnx.h>

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/sequential.h>

#include "support/check_throws.h"
#include "support/files.h"

using namespace handrail;
using namespace handrail::train;

namespace {

struct Swish : nn::Layer {
  Tensor forward(const Tensor& x) const override { return x; }
};
// A layer of a program's own that says what it computes.
struct Block : nn::Layer {
  explicit Block(Rng& rng) : net(add("net", nn::Sequential{nn::Linear{3, 2, rng}, nn::ReLU{}})) {}
  Tensor forward(const Tensor& x) const override { return net(x); }
  std::vector<nn::Operation> operations() const override {
    std::vector<nn::Operation> all;
    append_operations(all, "net", net.call_operations());
    return all;
  }
  nn::Sequential& net;
};

}  // namespace

// tests/train/exchange/onnx_check.py computes graphs of every layer.
TEST_CASE("an ONNX file names its constants as the model does, for a layer of a program's own, too") {
  const TempDir dir;
  Rng rng(1);
  export_onnx(nn::Sequential{Block(rng), nn::Linear{2, 2, rng}}, {.task = Task::binary, .class_names = {"no", "yes"}},
              dir.path() / "model.onnx");
  const std::string file = dir.read("model.onnx");
  for (const char* part : {"0.net.0.weight", "0.net.0.bias", "1.weight", "Gemm", "Relu", "class_names", "binary"})
    CHECK_MESSAGE(file.find(part) != file.npos, part);
}

TEST_CASE("export_onnx refuses what it cannot write and leaves the file as it was") {
  const TempDir dir;
  const auto path = dir.write("model.onnx", "old");
  Rng rng(1);
  nn::Sequential model{nn::Linear{3, 2, rng}};
  check_throws<OptionError>(
      [&] {
        export_onnx(nn::Sequential{nn::ReLU{}, Swish{}}, {}, path);
      },
      "export_onnx: '", "layer '1' is of the type Swish, which does not override operations()");
  check_throws<OptionError>([&] { export_onnx(Swish{}, {}, path); }, "the model is of the type Swish");
  check_throws<ShapeError>([&] { export_onnx(model, {.input_shape = {4}}, path); }, "want samples with 3 features");
  model.parameters()[1].tensor.mutable_data()[0] = std::numeric_limits<Scalar>::infinity();
  check_throws<CheckpointError>([&] { export_onnx(model, {}, path); }, "parameter '0.bias'");
  CHECK(dir.read("model.onnx") == "old");
}
