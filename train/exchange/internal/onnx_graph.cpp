#include <handrail/train/exchange/internal/onnx_graph.h>

#include <utility>

namespace handrail::train {
namespace {

// TensorProto.DataType
constexpr int float_type = 1, bool_type = 9, double_type = 11;
constexpr int scalar_onnx_type = sizeof(Scalar) == 4 ? float_type : double_type;

ProtobufMessage attribute_message(const std::string& name, const OnnxGraph::Attribute& attribute) {
  ProtobufMessage message;
  message.bytes(1, name);
  if (const auto* number = std::get_if<double>(&attribute)) {
    message.float32(2, static_cast<float>(*number));
    message.integer(20, 1);
  } else if (const auto* integer = std::get_if<std::int64_t>(&attribute)) {
    message.integer(3, *integer);
    message.integer(20, 2);
  } else {
    for (const std::int64_t element : std::get<std::vector<std::int64_t>>(attribute)) message.integer(8, element);
    message.integer(20, 7);
  }
  return message;
}

// A ValueInfoProto of a batch.
ProtobufMessage value_message(const std::string& name, const Shape& sample) {
  ProtobufMessage shape, rows, tensor, type, value;
  rows.bytes(2, "N");
  shape.message(1, rows);
  for (const Index dim : sample.dims()) {
    ProtobufMessage dimension;
    dimension.integer(1, dim);
    shape.message(1, dimension);
  }
  tensor.integer(1, scalar_onnx_type);
  tensor.message(2, shape);
  type.message(1, tensor);
  value.bytes(1, name);
  value.message(2, type);
  return value;
}

}  // namespace

std::string OnnxGraph::unused(const std::string& wanted) {
  std::string name = wanted;
  for (int number = 2; !names_.insert(name).second; ++number) name = wanted + "_" + std::to_string(number);
  return name;
}

std::string OnnxGraph::add_tensor(const std::string& wanted, const Shape& shape, int type, std::string_view bytes) {
  std::string name = unused(wanted);
  ProtobufMessage tensor;
  for (const Index dim : shape.dims()) tensor.integer(1, dim);
  tensor.integer(2, type);
  tensor.bytes(8, name);
  tensor.bytes(9, bytes);
  constants_.push_back(std::move(tensor));
  return name;
}

std::string OnnxGraph::constant(const std::string& wanted, const Tensor& tensor) {
  return add_tensor(wanted, tensor.shape(), scalar_onnx_type,
                    {reinterpret_cast<const char*>(tensor.data()), tensor.span().size_bytes()});
}

std::string OnnxGraph::booleans(const std::string& wanted, const Tensor& tensor) {
  std::string bytes;
  for (const Scalar value : tensor.span()) bytes += value != 0 ? '\1' : '\0';
  return add_tensor(wanted, tensor.shape(), bool_type, bytes);
}

std::string OnnxGraph::node(const std::string& type, const std::vector<std::string>& inputs,
                            const Attributes& attributes) {
  std::string result = unused(type);
  ProtobufMessage message;
  for (const std::string& input : inputs) message.bytes(1, input);
  message.bytes(2, result);
  message.bytes(3, result);
  message.bytes(4, type);
  for (const auto& [name, attribute] : attributes) message.message(5, attribute_message(name, attribute));
  nodes_.push_back(std::move(message));
  return result;
}

std::string OnnxGraph::model(const std::string& input, const Shape& input_sample, const std::string& output,
                             const Shape& output_sample, const std::map<std::string, std::string>& metadata) const {
  ProtobufMessage last, graph, operators, file;
  last.bytes(1, output);
  last.bytes(2, "output");
  last.bytes(4, "Identity");
  for (const ProtobufMessage& node : nodes_) graph.message(1, node);
  graph.message(1, last);
  graph.bytes(2, "model");
  for (const ProtobufMessage& constant : constants_) graph.message(5, constant);
  graph.message(11, value_message(input, input_sample));
  graph.message(12, value_message("output", output_sample));
  operators.bytes(1, "");  // the domain of ONNX itself
  operators.integer(2, 13);
  file.integer(1, 7);
  file.bytes(2, "handrail");
  file.bytes(3, HANDRAIL_VERSION);
  file.message(7, graph);
  file.message(8, operators);
  for (const auto& [key, value] : metadata) {
    ProtobufMessage entry;
    entry.bytes(1, key);
    entry.bytes(2, value);
    file.message(14, entry);
  }
  return file.encoded();
}

}  // namespace handrail::train
