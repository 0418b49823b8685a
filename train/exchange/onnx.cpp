#include <handrail/train/exchange/onnx.h>

#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <string_view>

#include <handrail/train/checkpoints/internal/weights_file.h>
#include <handrail/train/exchange/internal/about.h>
#include <handrail/train/exchange/internal/model_texts.h>
#include <handrail/train/exchange/internal/onnx_graph.h>
#include <handrail/train/exchange/internal/plan.h>
#include <handrail/train/files/file_system.h>

namespace handrail::train {
namespace {

using nn::Operation;
using nn::OperationKind;

// Adds the operators of one operation of x and returns the name of their result.
class Translator {
 public:
  Translator(OnnxGraph& graph, const PlannedOperation& planned, std::string x)
      : graph_(graph), operation_(planned.operation), sample_(planned.input), x_(std::move(x)) {}

  std::string result() {
    switch (operation_.kind) {
      case OperationKind::linear:
        return linear();
      case OperationKind::relu:
        return graph_.node("Relu", {x_});
      case OperationKind::tanh:
        return graph_.node("Tanh", {x_});
      case OperationKind::sigmoid:
        return graph_.node("Sigmoid", {x_});
      case OperationKind::softplus:
        return graph_.node("Softplus", {x_});
      case OperationKind::gelu:
        return gelu();
      case OperationKind::layer_norm:
        return layer_norm();
      case OperationKind::batch_norm:
        return batch_norm();
      case OperationKind::add:
        return graph_.node("Add", {x_, constant(0, "offset")});
      case OperationKind::subtract:
        return graph_.node("Sub", {x_, constant(0, "mean")});
      case OperationKind::multiply:
        return graph_.node("Mul", {x_, constant(0, "factor")});
      case OperationKind::divide:
        return graph_.node("Div", {x_, constant(0, "divisor")});
      case OperationKind::clamp:
        return graph_.node("Clip", {x_, number("low", operation_.first), number("high", operation_.second)});
      case OperationKind::smooth_clip:
        return smooth_clip();
      case OperationKind::impute: {
        const std::string equal = graph_.node("Equal", {x_, constant(0, "code")});
        const std::string coded = graph_.booleans(name("is_coded"), operation_.constants[1]);
        return graph_.node("Where", {graph_.node("And", {equal, coded}), constant(2, "value"), x_});
      }
      case OperationKind::flatten:
        return graph_.node("Flatten", {x_}, {{"axis", std::int64_t{1}}});
      case OperationKind::unknown:  // which plan_of refuses
        break;
    }
    return x_;
  }

 private:
  std::string name(const char* what) const { return operation_.layer.empty() ? what : operation_.layer + "." + what; }
  std::string constant(std::size_t i, const char* what) { return graph_.constant(name(what), operation_.constants[i]); }
  std::string number(const char* what, double value) { return graph_.constant(name(what), value); }

  std::string linear() {
    const bool has_bias = operation_.constants[1].defined();
    const std::string weight = constant(0, "weight");
    if (sample_.rank() == 1)
      return has_bias ? graph_.node("Gemm", {x_, weight, constant(1, "bias")}) : graph_.node("Gemm", {x_, weight});
    const std::string product = graph_.node("MatMul", {x_, weight});
    return has_bias ? graph_.node("Add", {product, constant(1, "bias")}) : product;
  }

  // x / 2 (1 + erf(x / sqrt(2)))
  std::string gelu() {
    const std::string scaled = graph_.node("Mul", {x_, number("sqrt_half", 1 / std::numbers::sqrt2)});
    const std::string sum = graph_.node("Add", {graph_.node("Erf", {scaled}), number("one", 1)});
    return graph_.node("Mul", {graph_.node("Mul", {x_, number("half", 0.5)}), sum});
  }

  std::string smooth_clip() {
    // Far beyond what is clipped, so that the square does not overflow.
    const std::string x = graph_.node("Clip", {x_, number("lowest", -1e18), number("highest", 1e18)});
    const std::string bent = graph_.node("Mul", {x, constant(0, "bend")});
    const std::string sum = graph_.node("Add", {graph_.node("Mul", {bent, bent}), number("one", 1)});
    return graph_.node("Div", {x, graph_.node("Sqrt", {sum})});
  }

  std::string layer_norm() {
    const OnnxGraph::Attributes of_rows{{"axes", std::vector<std::int64_t>{-1}}, {"keepdims", std::int64_t{1}}};
    const std::string centred = graph_.node("Sub", {x_, graph_.node("ReduceMean", {x_}, of_rows)});
    const std::string variance = graph_.node("ReduceMean", {graph_.node("Mul", {centred, centred})}, of_rows);
    const std::string deviation =
        graph_.node("Sqrt", {graph_.node("Add", {variance, number("eps", operation_.first)})});
    return affine(graph_.node("Div", {centred, deviation}));
  }

  std::string batch_norm() {
    // ONNX's features are those of the second dimension.
    if (sample_.rank() == 1)
      return graph_.node(
          "BatchNormalization",
          {x_, constant(0, "weight"), constant(1, "bias"), constant(2, "running_mean"), constant(3, "running_var")},
          {{"epsilon", operation_.first}});
    const Tensor deviation(operation_.constants[3].shape());
    for (Index i = 0; i < deviation.size(); ++i)
      deviation.mutable_data()[i] =
          std::sqrt(operation_.constants[3].data()[i] + static_cast<Scalar>(operation_.first));
    const std::string centred = graph_.node("Sub", {x_, constant(2, "running_mean")});
    return affine(graph_.node("Div", {centred, graph_.constant(name("deviation"), deviation)}));
  }

  std::string affine(const std::string& normed) {
    return graph_.node("Add", {graph_.node("Mul", {normed, constant(0, "weight")}), constant(1, "bias")});
  }

  OnnxGraph& graph_;
  const Operation& operation_;
  const Shape& sample_;
  std::string x_;
};

}  // namespace

void export_onnx(const nn::Layer& model, const ModelInfo& info, const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about_file("export_onnx", path);
  const ExportPlan plan = plan_of(model, info, who);
  finite_state(model, who);
  OnnxGraph graph;
  std::string last = "input";
  for (const PlannedOperation& planned : plan.operations) last = Translator(graph, planned, last).result();
  const std::string file = graph.model("input", plan.input, last, plan.output, texts_of(info));
  const std::array<std::string_view, 1> pieces{file};
  write_file(files, path, pieces, who);
}

}  // namespace handrail::train
