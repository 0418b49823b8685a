// Targets: wrong, shifted, recoded, missing, unbalanced.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

const std::vector<std::string> unlearnable{"label_noise", "labels_shuffled", "no_better_than_baseline"};

// Puts the targets of `table` in another order.
void reorder(Table& table, const std::vector<Index>& order) { table.y = pick(table, order).y; }

void map_labels(Table& table, const std::function<double(double, Index)>& f) {
  for (Index i = 0; i < table.rows(); ++i) {
    Scalar& y = table.y.mutable_data()[i];
    y = static_cast<Scalar>(f(static_cast<double>(y), i));
  }
}

double class_count(const Program& p) { return p.kind == train::Task::binary ? 2 : static_cast<double>(p.outputs); }

// Keeps every nth row of the classes for which `rare` says so, or none of them for every = 0.
void thin_out(Table& table, const std::function<bool(double)>& rare, Index every) {
  std::vector<Index> kept;
  Index seen = 0;
  for (Index i = 0; i < table.rows(); ++i)
    if (!rare(static_cast<double>(table.y.data()[i])) || (every > 0 && seen++ % every == 0)) kept.push_back(i);
  table = pick(table, kept);
}

}  // namespace

std::vector<Fault> label_faults() {
  return {
      {"labels_shuffled", "targets are in a random order: sorting forgot them", unlearnable,
       [](Program& p) {
         Rng rng = p.rng(8);
         p.known([&](Table& t) { reorder(t, shuffled(t.rows(), rng)); });
       }},
      {"labels_shifted",
       "every target belongs to the row before it",
       {"label_noise", "labels_shuffled", "labels_shifted", "no_better_than_baseline"},
       [](Program& p) {
         p.known([](Table& t) {
           std::vector<Index> order = numbers(t.rows());
           std::rotate(order.begin(), order.begin() + 1, order.end());
           reorder(t, order);
         });
       }},
      {"half_of_labels_random",
       "half of the labels are drawn at random",
       {"label_noise"},
       [](Program& p) {
         Rng rng = p.rng(9);
         p.known([&](Table& t) {
           map_labels(t, [&](double y, Index) {
             return rng.uniform() < 0.5 ? y : std::floor(rng.uniform() * class_count(p));
           });
         });
       },
       classes},
      {"labels_flipped",
       "two of five labels of class 0 say class 1",
       {"label_noise"},
       [](Program& p) {
         Rng rng = p.rng(10);
         p.known(
             [&](Table& t) { map_labels(t, [&](double y, Index) { return y == 0 && rng.uniform() < 0.4 ? 1 : y; }); });
       },
       classes},
      {"conflicting_labels",
       "a third of the training rows are there again with another label",
       {"conflicting_labels"},
       [](Program& p) {
         std::vector<Index> again;
         for (Index i = 0; i < p.train.rows(); i += 3) again.push_back(i);
         Table copies = pick(p.train, again);
         map_labels(copies, [&](double y, Index) { return std::fmod(y + 1, class_count(p)); });
         p.train = join(p.train, copies);
       },
       classes},
      {"conflicting_targets",
       "half of the training rows are there again with a random target",
       {"conflicting_labels"},
       [](Program& p) {
         Rng rng = p.rng(12);
         Table copies = pick(p.train, shuffled(p.train.rows(), rng));
         reorder(copies, shuffled(copies.rows(), rng));
         p.train = join(p.train, copies);
       },
       regression},
      {"classes_merged",
       "class 1 is labelled as class 0 in the training data",
       {"missing_class"},
       [](Program& p) { p.known([](Table& t) { map_labels(t, [](double y, Index) { return y == 1 ? 0 : y; }); }); },
       classes},
      {"rare_classes",
       "of every second class, one row in thirty is in the training data",
       {"class_imbalance"},
       [](Program& p) {
         p.known([](Table& t) {
           thin_out(
               t, [](double y) { return std::fmod(y, 2) == 1; }, 30);
         });
       },
       classes},
      {"class_without_rows",
       "the training data has no row of the last class",
       {"missing_class"},
       [](Program& p) {
         p.known([&](Table& t) {
           thin_out(
               t, [&](double y) { return y == class_count(p) - 1; }, 0);
         });
       },
       classes},
      {"labels_from_one",
       "classes are counted from 1",
       {"missing_class"},
       [](Program& p) { p.known([](Table& t) { map_labels(t, [](double y, Index) { return y + 1; }); }); },
       classes,
       {"counted from 0", "class in [0", "0 or 1", "targets in [0, 1]"},
       Harm::score,
       false,
       true},
      {"labels_minus_one_and_one",
       "binary labels are -1 and 1",
       {"labels_out_of_range"},
       [](Program& p) { p.known([](Table& t) { map_labels(t, [](double y, Index) { return 2 * y - 1; }); }); },
       binary,
       {"0 or 1", "[0, 1]"},
       Harm::score,
       false,
       true},
      {"more_outputs_than_classes",
       "the model has 40 outputs more than there are classes",
       {"missing_class"},
       [](Program& p) { p.outputs += 40; },
       multiclass},
      {"constant_targets",
       "all targets are the same: the wrong column was read",
       {"constant_targets", "missing_class"},
       [](Program& p) { p.known([](Table& t) { map_labels(t, [](double, Index) { return 1; }); }); }},
      {"targets_cut_to_integers",
       "the targets of a regression are cut to whole numbers",
       {"truncated_targets", "loss_mismatch"},
       [](Program& p) { p.known([](Table& t) { map_labels(t, [](double y, Index) { return std::trunc(y / 2); }); }); },
       regression},
      {"targets_of_noise", "the targets are a column of noise", unlearnable,
       [](Program& p) {
         Rng rng = p.rng(13);
         p.known([&](Table& t) {
           map_labels(t, [&](double, Index) {
             return p.kind == train::Task::regression ? rng.normal() : std::floor(rng.uniform() * class_count(p));
           });
         });
       }},
      {"half_of_targets_missing_as_zero",
       "half of the targets are missing and were filled with 0",
       {"coded_missing", "repeated_target"},
       [](Program& p) {
         Rng rng = p.rng(14);
         p.known([&](Table& t) { map_labels(t, [&](double y, Index) { return rng.uniform() < 0.5 ? 0 : y; }); });
       },
       regression},
  };
}

}  // namespace faulty_runs
