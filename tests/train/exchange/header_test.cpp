#include <handrail/train/exchange/header.h>

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

}  // namespace

// tests/train/exchange/header.sh compiles headers and compares their outputs.
TEST_CASE("a header has the namespace, the sizes and only the functions that suit the model") {
  const TempDir dir;
  Rng rng(1);
  const nn::Sequential model{nn::Linear{3, 2, rng}};
  export_header(model, {.task = Task::regression}, dir.path() / "a.h");
  const std::string plain = dir.read("a.h");
  CHECK(plain.find("namespace model {") != plain.npos);
  CHECK(plain.find("input_size = 3, output_size = 2;") != plain.npos);
  CHECK(plain.find("predict_class") == plain.npos);
  CHECK(plain.find("void normalize") == plain.npos);
  export_header(model, {.task = Task::multiclass, .normalization = Normalization{}, .class_names = {"a", "b\"\n"}},
                dir.path() / "b.h", {.name = "two_classes"});
  const std::string classes = dir.read("b.h");
  for (const char* part : {"namespace two_classes {", "predict_class", "void normalize", "\"b\\042\\012\""})
    CHECK(classes.find(part) != classes.npos);
}

TEST_CASE("export_header refuses what it cannot write and leaves the file as it was") {
  const TempDir dir;
  const auto path = dir.write("model.h", "old");
  Rng rng(1);
  nn::Sequential model{nn::Linear{3, 2, rng}};
  const auto refused = [&](const nn::Sequential& of, const ModelInfo& info, auto... wanted) {
    check_throws<OptionError>([&] { export_header(of, info, path); }, "export_header: '", wanted...);
  };
  refused(nn::Sequential{nn::ReLU{}, nn::Sequential{Swish{}}}, {}, "layer '1.0' is of the type Swish", "operations()");
  refused(nn::Sequential{nn::ReLU{}}, {}, "want the shape of a sample");
  for (const char* name : {"", "7up", "a b", "a::b"})
    check_throws<OptionError>([&] { export_header(model, {}, path, {.name = name}); }, "want a name of letters");
  check_throws<ShapeError>([&] { export_header(model, {.input_shape = {4}}, path); },
                           "layer '0': want samples with 3 features; got [4]");
  model.parameters()[0].tensor.mutable_data()[1] = std::numeric_limits<Scalar>::quiet_NaN();
  check_throws<CheckpointError>([&] { export_header(model, {}, path); }, "parameter '0.weight'");
  CHECK(dir.read("model.h") == "old");
}
