#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <handrail/core/parameter.h>

namespace handrail::nn {

/// A named tree of parameters, buffers and child modules. It has no forward of its own: a model is a
/// struct that registers its parts in its constructor and calls them as it likes.
///
///   struct Mlp : nn::Module {
///     explicit Mlp(Rng& rng)
///         : hidden(add("hidden", nn::Linear{784, 128, rng})), out(add("out", nn::Linear{128, 10, rng})) {}
///     Tensor operator()(const Tensor& x) const { return out(relu(hidden(x))); }
///     nn::Linear& hidden;
///     nn::Linear& out;
///   };
///
/// Children live on the heap, so references to them survive a move of the model. Copying is not
/// possible. Names are letters, digits, '_', '-' and '='; the parts of a full name are joined by '.'.
class Module {
 public:
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  Module& operator=(Module&&) = delete;

  /// All parameters of the tree with their full names: a module's own, then its children's, each in the
  /// order of registration.
  std::vector<Parameter> parameters() const;
  /// All buffers of the tree, likewise.
  std::vector<Buffer> buffers() const;
  /// This module and all below it, parents first.
  std::vector<const Module*> modules() const;
  /// The number of elements of all parameters.
  Index parameter_count() const;

  /// Stops training the parameters of this module and of its children: from the next tape on they get no
  /// gradient, so no update and no weight decay, until unfreeze(). What the module computes stays the
  /// same: in training dropout still drops, and BatchNorm1d still moves its running statistics.
  void freeze();
  void unfreeze();
  /// The same for one child or parameter, by its name from here: "hidden", "encoder.0", "hidden.bias".
  /// Throws OptionError listing the names there are when there is none of that name.
  void freeze(std::string_view name);
  void unfreeze(std::string_view name);
  /// Whether there are parameters and none of them is trained.
  bool frozen() const;

 protected:
  Module() = default;
  Module(Module&&) = default;

  /// Moves the child into this module and returns a reference that stays valid.
  /// Throws OptionError when the name is taken or not allowed; so do param() and buffer().
  template <std::derived_from<Module> M>
  M& add(std::string name, M child) {
    check_name(name);
    auto owned = std::make_unique<M>(std::move(child));
    M& reference = *owned;
    children_.push_back({std::move(name), std::move(owned)});
    return reference;
  }
  /// Registers a trained tensor; `initial` becomes a leaf.
  Tensor param(std::string name, Role role, Tensor initial);
  /// With a role from the shape: a weight when it has two dimensions or more, else exempt from decay.
  Tensor param(std::string name, Tensor initial);
  /// Registers a tensor that is saved with the model but not trained.
  Tensor buffer(std::string name, Tensor initial);

 private:
  struct Child {
    std::string name;
    std::unique_ptr<Module> module;
  };
  void check_name(std::string_view name) const;
  std::vector<Tensor> tensors_of(const char* asked, std::string_view name) const;
  template <class Visit>
  void visit(const std::string& prefix, Visit&& visit) const;

  std::vector<Parameter> params_;
  std::vector<Buffer> buffers_;
  std::vector<Child> children_;
};

/// A module that maps one tensor to one tensor: what Sequential and Trainer take.
/// forward is const, so that many threads may call it at once without a tape.
class Layer : public Module {
 public:
  virtual Tensor forward(const Tensor& x) const = 0;
  Tensor operator()(const Tensor& x) const { return forward(x); }

 protected:
  Layer() = default;
  Layer(Layer&&) = default;
};

/// What cannot be a model for a Trainer, whose first error then says so.
template <class T>
concept OtherThanLayer = !std::derived_from<T, Layer>;

}  // namespace handrail::nn
