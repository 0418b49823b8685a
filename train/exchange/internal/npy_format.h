#pragma once

#include <string>
#include <string_view>

#include <handrail/core/tensor.h>

namespace handrail::train {

// A file of NumPy: the magic number, the version, the length of the header, the header, the elements. The header is a
// literal of Python: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, filled up with blanks and a line end.
// Source: NumPy Enhancement Proposal 1 and the module numpy.lib.format.

/// What stands before the elements of a tensor: version 1.0. The elements begin at a multiple of 64.
std::string npy_header(const Tensor& tensor);
/// The tensor in the bytes of a whole file. Throws DataError, starting with `who`, as load_npy does.
Tensor parse_npy(std::string_view file, const std::string& who);

}  // namespace handrail::train
