#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <handrail/optim/param_group.h>

namespace handrail::optim {

/// What an optimizer remembers of one parameter.
struct ParamState {
  std::int64_t t = 0;         // updates made
  std::vector<Tensor> slots;  // moments and the like, of the parameter's shape
};
/// By parameter name.
using OptimizerState = std::map<std::string, ParamState>;

/// The base of all optimizers: groups, slots and counts live here, a rule is one pure function.
///
///   optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.01)};
///   optimizer.zero_grad();  ...  optimizer.step(schedule(k));
///
/// The rate is an argument of every step, never hidden state. A parameter without a gradient is left
/// alone, and its count t does not move. Denormals are flushed to zero during a step.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// "AdamW", say.
  virtual const char* name() const = 0;
  /// The rate to start from when nobody gave one.
  virtual double default_lr() const = 0;

  /// Forgets all gradients.
  void zero_grad();
  /// One update at that rate. Gradients are multiplied by `grad_scale` on the way: a clip without a
  /// pass of its own. Throws OptionError, before anything changed, on a rate or scale that is negative
  /// or not finite; TapeError when no parameter has a gradient.
  void step(double lr, double grad_scale = 1);
  /// The Euclidean norm of all gradients together, accumulated in double in a fixed order. Not finite
  /// exactly when one of the gradients is not.
  double grad_norm();

  std::span<const ParamGroup> groups() const { return groups_; }
  /// A copy of what it remembers.
  OptimizerState state() const;
  /// Throws CheckpointError listing every parameter that is missing or does not fit; then nothing has
  /// changed.
  void load_state(const OptimizerState& state);

 protected:
  static constexpr std::size_t max_slots = 2;
  /// A piece of one parameter: elements of all spans belong together.
  struct Piece {
    std::span<Scalar> weights;
    std::span<const Scalar> gradient;
    std::array<std::span<Scalar>, max_slots> slots;
  };
  struct Step {
    double rate;
    double weight_decay;
    double grad_scale;
    std::int64_t t;  // 1 for the first update of this parameter
  };

  /// Throws OptionError on no parameters, two of one name or of one tensor, or options out of range.
  Optimizer(std::vector<ParamGroup> groups, std::size_t slot_count);

  /// The rule: writes the weights and slots of a piece. Pieces come in any order and on any thread.
  virtual void update(const Piece& piece, const Step& step) const = 0;

 private:
  struct Entry {
    std::size_t group;
    Tensor tensor;
    std::vector<Tensor> slots;
    std::int64_t t = 0;
    const Scalar* gradient = nullptr;  // in the step under way; null for none
    Scalar* weights = nullptr;         // likewise
    std::array<Scalar*, max_slots> slot_data{};
  };
  // A range of elements of one entry; a chunk is a run of ranges worth a thread.
  struct Range {
    std::size_t entry;
    Index begin, end;
  };
  void collect_gradients();
  template <class Body>
  void for_ranges(Body&& body);

  std::vector<ParamGroup> groups_;
  std::vector<Entry> entries_;
  std::vector<Range> ranges_;
  std::vector<std::size_t> chunk_ends_;
  std::vector<double> partial_;  // of the norm, one a range
};

/// base^n by squaring, for bias corrections.
double power(double base, std::int64_t n);

}  // namespace handrail::optim
