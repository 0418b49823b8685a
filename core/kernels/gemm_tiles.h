#pragma once

#include <cstddef>

#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include <handrail/core/kernels/table.h>

// Inside the kernels: products of matrices, computed in tiles of registers.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// Registers: a tile of C of `tile_rows` x up to `tile_vectors` vectors stays in registers while k runs.
#if defined(__AVX512F__)
constexpr int vector_bytes = 64, tile_rows = 8, tile_vectors = 3;
#elif defined(__AVX__)
constexpr int vector_bytes = 32, tile_rows = 6, tile_vectors = 2;
#elif defined(__ARM_NEON)
constexpr int vector_bytes = 16, tile_rows = 8, tile_vectors = 3;
#else
constexpr int vector_bytes = 16, tile_rows = 6, tile_vectors = 2;
#endif
constexpr Index lanes = vector_bytes / sizeof(Scalar);

// Up to this many rows of A, B is read in place rather than packed.
constexpr Index max_direct_rows = 128;

using Vector = Scalar __attribute__((vector_size(vector_bytes)));

constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }

// An offset into a tile: counted as std::size_t, like array indices, and used as Index in addresses.
constexpr Index at(std::size_t i, Index stride = 1) { return static_cast<Index>(i) * stride; }

// Load from and store to memory that is aligned for its elements, not for vectors.
inline Vector load(const Scalar* from) {
  Vector v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
inline void store(Scalar* to, Vector v) { __builtin_memcpy(to, &v, sizeof v); }

// a * s + c for each element, rounded once where the processor can.
inline Vector mul_add(Vector a, Scalar s, Vector c) {
#if defined(__AVX512F__) && defined(HANDRAIL_F64)
  return _mm512_fmadd_pd(a, _mm512_set1_pd(s), c);
#elif defined(__AVX512F__)
  return _mm512_fmadd_ps(a, _mm512_set1_ps(s), c);
#elif defined(__FMA__) && defined(HANDRAIL_F64)
  return _mm256_fmadd_pd(a, _mm256_set1_pd(s), c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, _mm256_set1_ps(s), c);
#elif defined(__ARM_NEON) && defined(HANDRAIL_F64)
  return vfmaq_n_f64(c, a, s);
#elif defined(__ARM_NEON)
  return vfmaq_n_f32(c, a, s);
#else
  return a * s + c;
#endif
}

inline void copy(const Scalar* from, Index count, Scalar* to) {
  __builtin_memcpy(to, from, static_cast<std::size_t>(count) * sizeof(Scalar));
}

// What a tile starts from, and where it is written.
struct Destination {
  Scalar* c;
  Index ldc;
  Index cols;  // of the tile that lie within C
  bool from_c;
  const Scalar* row;  // else start from this row, or from zero when null
};

// C tile = start + A strip * B panel; a: element (i, k) at a[i * ai + k * ak]; b: row k at b + k * ldb.
template <std::size_t rows, std::size_t vectors>
void tile(Index k, const Scalar* a, Index ai, Index ak, const Scalar* b, Index ldb, const Destination& to) {
  constexpr Index width = static_cast<Index>(vectors) * lanes;
  const bool full = to.cols == width;
  alignas(64) Scalar edge[rows * vectors * std::size_t{lanes}];  // for a tile that hangs over the edge of C
  if (!full) __builtin_memset(edge, 0, sizeof edge);
  Vector acc[rows][vectors];
  if (to.from_c) {
    const Scalar* from = to.c;
    Index stride = to.ldc;
    if (!full) {
      for (std::size_t i = 0; i < rows; ++i) copy(to.c + at(i, to.ldc), to.cols, edge + at(i, width));
      from = edge;
      stride = width;
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < rows; ++i)
#pragma GCC unroll 3
      for (std::size_t j = 0; j < vectors; ++j) acc[i][j] = load(from + at(i, stride) + at(j, lanes));
  } else {
    Vector first[vectors] = {};
    if (to.row) {
      const Scalar* from = to.row;
      if (!full) {
        copy(to.row, to.cols, edge);
        from = edge;
      }
      for (std::size_t j = 0; j < vectors; ++j) first[j] = load(from + at(j, lanes));
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < rows; ++i)
#pragma GCC unroll 3
      for (std::size_t j = 0; j < vectors; ++j) acc[i][j] = first[j];
  }
  for (Index p = 0; p < k; ++p) {
    Vector bv[vectors];
#pragma GCC unroll 3
    for (std::size_t j = 0; j < vectors; ++j) bv[j] = load(b + p * ldb + at(j, lanes));
#pragma GCC unroll 8
    for (std::size_t i = 0; i < rows; ++i) {
      const Scalar s = a[at(i, ai) + p * ak];
#pragma GCC unroll 3
      for (std::size_t j = 0; j < vectors; ++j) acc[i][j] = mul_add(bv[j], s, acc[i][j]);
    }
  }
  Scalar* out = full ? to.c : edge;
  const Index stride = full ? to.ldc : width;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < rows; ++i)
#pragma GCC unroll 3
    for (std::size_t j = 0; j < vectors; ++j) store(out + at(i, stride) + at(j, lanes), acc[i][j]);
  if (!full)
    for (std::size_t i = 0; i < rows; ++i) copy(edge + at(i, width), to.cols, to.c + at(i, to.ldc));
}

template <int vectors>
void tile_of(Index rows, Index k, const Scalar* a, Index ai, Index ak, const Scalar* b, Index ldb,
             const Destination& to) {
  switch (rows) {
    case 1:
      return tile<1, vectors>(k, a, ai, ak, b, ldb, to);
    case 2:
      return tile<2, vectors>(k, a, ai, ak, b, ldb, to);
    case 3:
      return tile<3, vectors>(k, a, ai, ak, b, ldb, to);
    case 4:
      return tile<4, vectors>(k, a, ai, ak, b, ldb, to);
    case 5:
      return tile<5, vectors>(k, a, ai, ak, b, ldb, to);
    case 6:
      return tile<6, vectors>(k, a, ai, ak, b, ldb, to);
    case 7:
      return tile<7, vectors>(k, a, ai, ak, b, ldb, to);
    default:
      // The common cases with strides the compiler knows.
      if (ak == 1) return tile<tile_rows, vectors>(k, a, ai, 1, b, ldb, to);
      if (ai == 1) return tile<tile_rows, vectors>(k, a, 1, ak, b, ldb, to);
      return tile<tile_rows, vectors>(k, a, ai, ak, b, ldb, to);
  }
}

// The width of the next panel when `left` columns remain: panels are of nearly even width.
Index panel_width(Index left) {
  const Index vectors = (left + lanes - 1) / lanes;
  const Index panels = (vectors + tile_vectors - 1) / tile_vectors;
  return (vectors + panels - 1) / panels * lanes;
}

inline Vector load_part(const Scalar* from, Index count) {
  alignas(64) Scalar part[std::size_t{lanes}] = {};
  copy(from, count, part);
  return load(part);
}

// As many vectors as a vector has elements.
struct SquareBlock {
  Vector rows[std::size_t{lanes}];
};

// std::integer_sequence without its header.
template <int... j>
struct Columns {};
template <int n, int... j>
struct CountTo : CountTo<n - 1, n - 1, j...> {};
template <int... j>
struct CountTo<0, j...> {
  using Type = Columns<j...>;
};

// Swaps the off-diagonal quarters of every 2 distance x 2 distance block.
template <int distance, int... j>
inline void swap_quarters(SquareBlock& square, Columns<j...>) {
  constexpr int n = sizeof...(j);
  Vector* m = square.rows;
  for (std::size_t i = 0; i < n; ++i) {
    if (i & distance) continue;
    const Vector a = m[i], b = m[i + distance];
    m[i] = __builtin_shufflevector(a, b, ((j & distance) == 0 ? j : n + j - distance)...);
    m[i + distance] = __builtin_shufflevector(a, b, ((j & distance) == 0 ? j + distance : n + j)...);
  }
}

template <class Columns>
inline void transpose(SquareBlock& m, Columns columns) {
  if constexpr (lanes >= 2) swap_quarters<1>(m, columns);
  if constexpr (lanes >= 4) swap_quarters<2>(m, columns);
  if constexpr (lanes >= 8) swap_quarters<4>(m, columns);
  if constexpr (lanes >= 16) swap_quarters<8>(m, columns);
}

// Packs rows [0, k) of `cols` columns of B into rows of `width`, the rest zero.
void pack_panel(Index k, Index cols, Index width, const Strided& b, Scalar* to) {
  if (b.col_stride == 1) {
    for (Index p = 0; p < k; ++p, to += width) {
      const Scalar* from = b.data + p * b.row_stride;
      if (cols == width) {
        for (Index j = 0; j < width; j += lanes) store(to + j, load(from + j));
      } else {
        copy(from, cols, to);
        for (Index j = cols; j < width; ++j) to[j] = 0;
      }
    }
    return;
  }
  // B is stored transposed: turn it in squares of vectors, reading along its rows.
  for (Index p = 0; p < k; p += lanes) {
    const Index depth = smaller(lanes, k - p);
    for (Index j = 0; j < width; j += lanes) {
      const Scalar* from = b.data + p + j * b.col_stride;
      SquareBlock square;
      for (std::size_t i = 0; i < std::size_t{lanes}; ++i) {
        const Scalar* row = from + at(i, b.col_stride);
        if (j + at(i) >= cols)
          square.rows[i] = Vector{};
        else if (depth == lanes)
          square.rows[i] = load(row);
        else
          square.rows[i] = load_part(row, depth);
      }
      transpose(square, typename CountTo<int{lanes}>::Type{});
      for (Index i = 0; i < depth; ++i) store(to + (p + i) * width + j, square.rows[static_cast<std::size_t>(i)]);
    }
  }
}

// Packs `rows` rows of A, k columns, with element (i, p) at to[p * rows + i].
void pack_strip(Index rows, Index k, const Strided& a, Scalar* to) {
  if (rows == tile_rows && a.row_stride == 1) {
    for (Index p = 0; p < k; ++p) copy(a.data + p * a.col_stride, tile_rows, to + p * tile_rows);
  } else {
    for (Index p = 0; p < k; ++p)
      for (Index i = 0; i < rows; ++i) to[p * rows + i] = a.data[i * a.row_stride + p * a.col_stride];
  }
}

void gemm(const Gemm& g, Scalar* scratch) {
  const Index k_blocks = (g.k + block_k - 1) / block_k;
  const Index k_step = k_blocks == 0 ? 0 : ((g.k + k_blocks - 1) / k_blocks + 7) / 8 * 8;
  const Index n_step = smaller(block_n, (g.n + lanes - 1) / lanes * lanes);
  const Index m_step = smaller(block_m, g.m);
  const bool b_rows = g.b.col_stride == 1;
  // Rows whose distance is a large power of two collide in the cache sets.
  const bool direct = b_rows && g.m <= max_direct_rows && g.b.row_stride * Index{sizeof(Scalar)} % 1024 != 0;
  const bool a_collides = g.a.col_stride == 1 ? g.a.row_stride * Index{sizeof(Scalar)} % 2048 == 0 : true;
  const bool pack_a = a_collides && g.m > tile_rows && g.n > tile_vectors * lanes;
  Scalar* packed_b = scratch;
  Scalar* packed_a = packed_b + n_step * k_step;

  for (Index n0 = 0; n0 < g.n; n0 += n_step) {
    const Index n_end = smaller(g.n, n0 + n_step);
    Index k0 = 0;
    do {
      const Index k = smaller(k_step, g.k - k0);
      for (Index j = n0; j < n_end;) {
        const Index width = panel_width(n_end - j), cols = smaller(width, n_end - j);
        if (!direct || cols != width)
          pack_panel(k, cols, width,
                     {g.b.data + k0 * g.b.row_stride + j * g.b.col_stride, g.b.row_stride, g.b.col_stride},
                     packed_b + (j - n0) * k);
        j += width;
      }
      for (Index m0 = 0; m0 < g.m; m0 += m_step) {
        const Index m_end = smaller(g.m, m0 + m_step);
        if (pack_a)
          for (Index i = m0; i < m_end; i += tile_rows)
            pack_strip(smaller(tile_rows, m_end - i), k,
                       {g.a.data + i * g.a.row_stride + k0 * g.a.col_stride, g.a.row_stride, g.a.col_stride},
                       packed_a + (i - m0) * k);
        for (Index j = n0; j < n_end;) {
          const Index width = panel_width(n_end - j), cols = smaller(width, n_end - j);
          const bool in_place = direct && cols == width;
          const Scalar* b = in_place ? g.b.data + k0 * g.b.row_stride + j : packed_b + (j - n0) * k;
          const Index ldb = in_place ? g.b.row_stride : width;
          for (Index i = m0; i < m_end; i += tile_rows) {
            const Index rows = smaller(tile_rows, m_end - i);
            const Scalar* a = pack_a ? packed_a + (i - m0) * k : g.a.data + i * g.a.row_stride + k0 * g.a.col_stride;
            const Index ai = pack_a ? 1 : g.a.row_stride, ak = pack_a ? rows : g.a.col_stride;
            const Destination to{.c = g.c + i * g.ldc + j,
                                 .ldc = g.ldc,
                                 .cols = cols,
                                 .from_c = k0 > 0 || g.accumulate,
                                 .row = g.row ? g.row + j : nullptr};
            if (width == lanes)
              tile_of<1>(rows, k, a, ai, ak, b, ldb, to);
            else if (width == 2 * lanes)
              tile_of<2>(rows, k, a, ai, ak, b, ldb, to);
            else if constexpr (tile_vectors == 3)
              tile_of<3>(rows, k, a, ai, ak, b, ldb, to);
          }
          j += width;
        }
      }
      k0 += k_step;
    } while (k0 < g.k);
  }
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
