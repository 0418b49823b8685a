#include <handrail/train/run/loss.h>

#include <handrail/core/ops/ops.h>

namespace handrail::train {

Loss::Loss(Function* function)
    : function_(function),
      task_(function == &cross_entropy                      ? Task::multiclass
            : function == &binary_cross_entropy_with_logits ? Task::binary
                                                            : Task::regression),
      plain_(task_ != Task::regression || function == &mse_loss),
      distance_(function == &mse_loss || function == &l1_loss || function == static_cast<Function*>(&huber_loss)) {}

Loss::Loss(Function* function, Task task) : Loss(function) {
  plain_ = plain_ && task == task_;
  distance_ = distance_ && task == task_;
  task_ = task;
}

}  // namespace handrail::train
