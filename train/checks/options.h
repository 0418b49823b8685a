#pragma once

namespace handrail::train {

/// Before the first step. What makes training senseless throws, the rest warns.
struct CheckOptions {
  bool finite = true;         // NaN and infinity in the data
  bool labels = true;         // classes in range, all of them present
  bool input_scale = true;    // inputs and targets roughly normalised
  bool duplicates = true;     // rows shared by training and validation set
  bool initial_loss = true;   // near ln C
  bool reach = true;          // every parameter gets a gradient, and every leaf is a parameter
  bool overfit_batch = true;  // one batch can be learnt
};

}  // namespace handrail::train
