#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace handrail::train {

/// Which classes have the number of another one: "0 for 1, 1 for 0" where rows labelled 0 are predicted as 1 and the
/// other way round. Empty when there are not two such classes. A class counts when at least 5 rows have its label, 60 %
/// of them are predicted as one other class, at most 10 % as the labelled one, and no other class is predicted as that
/// one.
/// counts: [classes, classes] the rows of each label, by predicted class.
std::string describe_recoding(std::span<const std::size_t> counts, std::size_t classes);

}  // namespace handrail::train
