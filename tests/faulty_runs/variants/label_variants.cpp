// Labels and targets, of the part `variants`.
#include <algorithm>
#include <cmath>

#include "variants/variants.h"

namespace faulty_runs {
namespace {

const std::vector<std::string> unlearnable{"label_noise", "labels_shuffled", "labels_shifted",
                                           "no_better_than_baseline"};

double classes_of(const Program& p) { return p.kind == train::Task::binary ? 2 : static_cast<double>(p.outputs); }
void next_class(Scalar& y, double count) { y = static_cast<Scalar>(std::fmod(static_cast<double>(y) + 1, count)); }

}  // namespace

std::vector<Fault> label_variants() {
  return {
      {"lag_of_three_rows", "a difference of three rows was taken for the wrong column: targets are three rows late",
       unlearnable,
       [](Program& p) {
         p.known([](Table& t) {
           std::vector<Index> order = numbers(t.rows());
           std::rotate(order.begin(), order.end() - 3, order.end());
           t.y = pick(t, order).y;
         });
       }},
      {"shuffled_within_files", "targets are shuffled within each file of 50 rows, inputs are not", unlearnable,
       [](Program& p) {
         Rng rng = p.rng(60);
         p.known([&](Table& t) {
           std::vector<Index> order = numbers(t.rows());
           for (std::size_t from = 0; from < order.size(); from += 50)
             rng.shuffle(std::span(order).subspan(from, std::min<std::size_t>(50, order.size() - from)));
           t.y = pick(t, order).y;
         });
       }},
      {"one_annotator_guesses",
       "one of three annotators guesses: a third of the training labels, in runs of 25 rows, is random",
       {"label_noise"},
       [](Program& p) {
         Rng rng = p.rng(62);
         targets(p.train, [&](Scalar& y, Index i) {
           if (i / 25 % 3 == 1) y = static_cast<Scalar>(rng.below(static_cast<std::uint64_t>(classes_of(p))));
         });
       },
       classes},
      {"two_classes_confused",
       "45 % of the rows of class 1 are labelled as class 2 and the other way round",
       {"label_noise"},
       [](Program& p) {
         Rng rng = p.rng(63);
         p.known([&](Table& t) {
           targets(t, [&](Scalar& y, Index) { y = (y == 1 || y == 2) && rng.uniform() < 0.45 ? 3 - y : y; });
         });
       },
       multiclass},
      {"targets_of_a_third_from_other_rows",
       "a third of the training targets was joined by the wrong key, and is that of another row",
       {"label_noise"},
       [](Program& p) {
         Rng rng = p.rng(64);
         const Tensor y = p.train.y.clone();
         targets(p.train, [&](Scalar& own, Index) {
           if (rng.uniform() < 1.0 / 3) own = y.data()[rng.below(static_cast<std::uint64_t>(y.size()))];
         });
       },
       regression},
      {"two_annotators_disagree",
       "two annotators labelled the same training rows, and disagree about 45 % of them; both are kept",
       {"conflicting_labels", "label_noise"},
       [](Program& p) {
         Rng rng = p.rng(65);
         Table second{p.train.x.clone(), p.train.y.clone()};
         targets(second, [&](Scalar& y, Index) {
           if (rng.uniform() < 0.45) next_class(y, classes_of(p));
         });
         p.train = join(p.train, second);
       },
       classes},
      {"measured_three_times",
       "each training row is there three times, with targets that differ by twice their spread",
       {"conflicting_labels"},
       [](Program& p) {
         Rng rng = p.rng(66);
         p.train = join(p.train, join(p.train, p.train));
         targets(p.train, [&](Scalar& y, Index) { y += static_cast<Scalar>(2 * rng.normal()); });
       },
       regression},
      {"positives_are_rare",
       "of all classes but class 0, one row in 20 is in training and validation, as alarms are rare in the archive",
       {"class_imbalance"},
       [](Program& p) {
         p.known([](Table& t) {
           std::vector<Index> rows = numbers(t.rows());
           std::erase_if(rows, [&](Index i) { return t.y.data()[i] != 0 && i % 20 != 0; });
           t = pick(t, rows);
         });
       },
       classes},
  };
}

}  // namespace faulty_runs
