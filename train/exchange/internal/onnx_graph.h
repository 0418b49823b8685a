#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/train/files/protobuf.h>

namespace handrail::train {

/// Builds a graph of ONNX that is a chain: each operator takes, first, the result of another one. Numbers of fields are
/// those of onnx.proto, version 1.8 (IR version 7).
class OnnxGraph {
 public:
  using Attribute = std::variant<double, std::int64_t, std::vector<std::int64_t>>;
  using Attributes = std::vector<std::pair<std::string, Attribute>>;

  /// Adds a constant and returns its name, which is `wanted`, or that with a number behind it when it is taken.
  std::string constant(const std::string& wanted, const Tensor& tensor);
  std::string constant(const std::string& wanted, double value) {
    return constant(wanted, Tensor::scalar(static_cast<Scalar>(value)));
  }
  /// Adds a constant of booleans: whether each element is not 0.
  std::string booleans(const std::string& wanted, const Tensor& tensor);
  /// Adds an operator and returns the name of its result.
  std::string node(const std::string& type, const std::vector<std::string>& inputs, const Attributes& attributes = {});

  /// The bytes of a file with this graph. input, output: names and the shapes of one sample. Operators are written in
  /// the order in which they were added.
  std::string model(const std::string& input, const Shape& input_sample, const std::string& output,
                    const Shape& output_sample, const std::map<std::string, std::string>& metadata) const;

 private:
  std::string unused(const std::string& wanted);
  std::string add_tensor(const std::string& wanted, const Shape& shape, int type, std::string_view bytes);

  std::vector<ProtobufMessage> nodes_, constants_;
  std::set<std::string> names_{"input", "output"};
};

}  // namespace handrail::train
