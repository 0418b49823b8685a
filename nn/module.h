#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/nn/operation.h>

/// Layers, and modules that consist of them.
namespace handrail::nn {

class Layer;
class Standardize;

/// A layer of a tree with its full name, which is empty for the root.
struct NamedLayer {
  std::string name;  // such as "encoder.0"
  Layer* layer;      // the tree owns it
};

/// A named tree of parameters, buffers and child modules. It has no forward function of its own: a model is a struct
/// that registers its parts in its constructor and calls them in any way.
///
///   struct Mlp : nn::Module {
///     explicit Mlp(Rng& rng)
///         : hidden(add("hidden", nn::Linear{784, 128, rng})), out(add("out", nn::Linear{128, 10, rng})) {}
///     Tensor operator()(const Tensor& x) const { return out(relu(hidden(x))); }
///     nn::Linear& hidden;
///     nn::Linear& out;
///   };
///
/// Children live on the heap, so references to them stay valid when the model is moved. A module cannot be copied.
/// Names consist of letters, digits, '_', '-' and '='; a full name joins the names from the root with '.'.
class Module {
 public:
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  Module& operator=(Module&&) = delete;

  /// All parameters of the tree with their full names: those of a module come before those of its children, each in the
  /// order of registration.
  std::vector<Parameter> parameters() const;
  /// All buffers of the tree with their full names, in the order that parameters() has.
  std::vector<Buffer> buffers() const;
  /// This module and all modules below it, parents first.
  std::vector<const Module*> modules() const;
  /// The layers among this module and all modules below it, parents first, without the scales of layers.
  std::vector<NamedLayer> layers_by_name();
  /// The number of elements of all parameters.
  Index parameter_count() const;

  /// Whether the module brings each feature of its input to a common scale, whatever the scale was, as BatchNorm1d and
  /// Standardize do. The inputs of a model that begins with such a module need no scaling.
  virtual bool normalises() const { return false; }

  /// What decides the output besides parameters and buffers, such as "p 0.5" of Dropout: a run is resumed only with the
  /// same types of modules and the same settings. Override it in a layer that has such numbers.
  virtual std::string settings() const { return {}; }

  /// What the module computes in evaluation, as a chain of elementary operations, each of the result of the one before:
  /// for export_onnx, export_header and the layout of weights in files for PyTorch. No operation: it returns its input.
  /// The default is one of OperationKind::unknown. Override it in a layer of yours that such a chain can express.
  virtual std::vector<Operation> operations() const;

  /// Stops training the parameters of this module and of its children: from the next tape on, they get no gradient and
  /// so neither an update nor weight decay, until unfreeze(). What the module computes does not change: in training,
  /// Dropout still drops and BatchNorm1d still moves its running statistics.
  void freeze();
  /// Trains all parameters of this module and of its children again.
  void unfreeze();
  /// Freezes or unfreezes one child or parameter, by its name from this module: "hidden", "encoder.0", "hidden.bias".
  /// Throws OptionError listing all names when none is `name`.
  void freeze(std::string_view name);
  void unfreeze(std::string_view name);
  /// Whether the module has parameters and none of them is trained.
  bool frozen() const;

 protected:
  Module() = default;
  Module(Module&&) = default;

  /// Moves the child into this module and returns a reference that stays valid as long as the module lives.
  /// Throws OptionError when the name is taken or not allowed, as do param() and buffer().
  template <std::derived_from<Module> M>
  M& add(std::string name, M child) {
    const auto owned = std::make_shared<M>(std::move(child));
    add(std::move(name), owned);
    return *owned;
  }
  /// Makes a module a child of this one that others may have as a child too.
  void add(std::string name, std::shared_ptr<Module> child);
  /// Exchanges the children, and the scales of a Layer, with those of another module. References to them stay valid.
  void swap_children(Module& other) noexcept;
  /// Registers a tensor that is trained and returns it. `initial` becomes a leaf that requires a gradient.
  Tensor param(std::string name, Role role, Tensor initial);
  /// Registers a tensor that is trained, with a role from its name and shape. Role::bias, which has no weight decay:
  /// the name is "bias" or ends in "_bias", or there are fewer than two dimensions. Role::weight otherwise.
  Tensor param(std::string name, Tensor initial);
  /// Registers a tensor that is saved with the model but not trained, and returns it.
  Tensor buffer(std::string name, Tensor initial);

 private:
  struct Child {
    std::string name;
    std::shared_ptr<Module> module;
  };
  void check_name(std::string_view name) const;
  std::vector<Tensor> tensors_of(const char* asked, std::string_view name) const;
  template <class Visit>
  void visit(const std::string& prefix, Visit&& visit) const;
  template <class Visit>
  void visit_children(Visit&& visit) const;
  void add_layers(std::string name, std::vector<NamedLayer>& all);

  std::vector<Parameter> params_;
  std::vector<Buffer> buffers_;
  std::vector<Child> children_;

  friend class Layer;
  std::shared_ptr<const Standardize> input_scale_, output_scale_;  // see Layer; null in other modules
};

/// A module that maps one tensor to one tensor, for Sequential and Trainer.
///
/// A layer may have two scales, which a call applies: one before forward, one after it. The Trainer gives them to a
/// model whose inputs or targets need them (TrainerOptions::standardize), so that the model takes inputs, and predicts,
/// in the units of the data. They are part of the model: their constants are buffers, which files of weights and
/// checkpoints hold. A model is therefore called, model(x): forward alone knows nothing of scales.
/// Threads: forward is const, and several threads may call it at once without a tape.
class Layer : public Module {
 public:
  /// Returns the outputs for the inputs x, without the scales of the layer: users call the layer, as in model(x). The
  /// comment of each layer says which shapes x may have. Throws ShapeError for others.
  virtual Tensor forward(const Tensor& x) const = 0;
  /// Returns forward(x), with the scales of the layer if it has any.
  Tensor operator()(const Tensor& x) const { return input_scale_ || output_scale_ ? scaled(x) : forward(x); }

  /// What a call computes: operations(), between those of the scales if the layer has any.
  std::vector<Operation> call_operations() const;

  /// Sets what a call applies to the inputs [N, features] before forward; null: nothing. Throws OptionError for a scale
  /// with `invert` or `whiten`.
  void set_input_scale(std::shared_ptr<const Standardize> scale);
  /// Sets what a call applies to the outputs [N, features] of forward; null: nothing. Throws OptionError unless the
  /// scale has `invert`, and for one with `whiten`.
  void set_output_scale(std::shared_ptr<const Standardize> scale);
  /// What set_input_scale() and set_output_scale() have set; null: nothing.
  const std::shared_ptr<const Standardize>& input_scale() const { return input_scale_; }
  const std::shared_ptr<const Standardize>& output_scale() const { return output_scale_; }
  // Their names in full names such as "(input).mean". No other module can have one of them.
  static constexpr const char *input_name = "(input)", *robust_input_name = "(robust_input)", *output_name = "(output)";

 protected:
  Layer() = default;
  Layer(Layer&&) = default;

 private:
  Tensor scaled(const Tensor& x) const;
};

/// A type that is not a Layer and so cannot be the model of a Trainer.
template <class T>
concept OtherThanLayer = !std::derived_from<T, Layer>;

}  // namespace handrail::nn
