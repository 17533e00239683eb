// Attention of many short documents, forwards and backwards, without ever making a matrix of scores.
//
// Which keys a query sees is told by one number for each key: key s is seen by the queries s <= t < ends[s]. That says
// causal, documents, windows, and trees laid out branch after branch. Keys are taken 16 at a time; vectors of which a
// block of queries sees none are left out, so that short documents cost what they would alone (the idea of Dao et al.
// 2022, FlashAttention: what is large is made again on the way back instead of stored).
//
// Rotations are done on the way in and undone on the way out, so that nothing is written but results.
//
// Products are of pairs of bfloat16 (AVX512-BF16), sums are fp32. A row and head is the work of one thread, in one
// order: bits do not depend on the number of threads.

#include <cstdint>

#if defined(__AVX512BF16__) && defined(__AVX512BW__)

#include <algorithm>
#include <cmath>
#include <cstring>
#include <immintrin.h>
#include <memory>
#include <omp.h>

namespace {

constexpr int LANES = 16, BLOCK = 16, ROWS = 4;
typedef uint16_t half;      // a bfloat16
typedef uint32_t pair;      // two of them, the first below

struct Shape {
    int64_t rows, heads, kv_heads, length, size, threads, turned_rows;
};

template <typename T>
struct Room {  // for as many as are asked for, kept from one piece of work to the next, and not cleared
    std::unique_ptr<T[]> kept;
    int64_t held = 0;
    T* of(int64_t count) {
        if (count > held) kept.reset(new T[held = count]);
        return kept.get();
    }
};

struct Tokens {  // [length, size] of one row and head, the last dimension without gaps
    half* data;
    int64_t next;
    half* operator[](int64_t t) const { return data + t * next; }
};

struct Turns {  // how far each pair (i, i + size / 2) of a token is turned: [length, size], only halves of which are read
    const half *cosines, *sines;
    bool wanted() const { return cosines != nullptr; }
};

inline __m512i whole(const half* p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)); }

inline __m512 wide(const half* p) { return _mm512_castsi512_ps(_mm512_slli_epi32(whole(p), 16)); }

inline void narrow(half* p, __m512 v) { _mm256_storeu_si256((__m256i*)p, (__m256i)_mm512_cvtneps_pbh(v)); }

inline __m512i joined(__m512 first, __m512 second) {  // lane by lane, as pairs
    __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first));
    return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second)), 16));
}

inline __m512 exponential(__m512 x) {  // relative error below 2e-7 (range reduction and polynomial: Cephes' expf)
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.f));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    x = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    x = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), x);
    __m512 y = _mm512_set1_ps(1.9875691500e-4f);
    for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        y = _mm512_fmadd_ps(y, x, _mm512_set1_ps(c));
    y = _mm512_add_ps(_mm512_fmadd_ps(y, _mm512_mul_ps(x, x), x), _mm512_set1_ps(1.f));
    return _mm512_scalef_ps(y, n);
}

// sums[r][w] += Σ over p < count of a[r, p] · b[w, p], ROWS x W vectors at once.
template <int W>
inline __attribute__((always_inline)) void multiply(__m512 (&sums)[ROWS][W], const pair* a, int64_t a_row,
                                                    int64_t a_next, const pair* b, int64_t b_wide, int64_t b_next,
                                                    int64_t count) {
    for (int64_t p = 0; p < count; p++) {
        __m512i right[W];
        for (int w = 0; w < W; w++) {
            right[w] = _mm512_loadu_si512(b + w * b_wide + p * b_next);
            asm("" : "+v"(right[w]));  // GCC would read it again for each row
        }
        for (int r = 0; r < ROWS; r++) {
            __m512bh left = (__m512bh)_mm512_set1_epi32(a[r * a_row + p * a_next]);
            for (int w = 0; w < W; w++) sums[r][w] = _mm512_dpbf16_ps(sums[r][w], left, (__m512bh)right[w]);
        }
    }
}

// Rows of 16 numbers become columns.
inline void transpose(__m512i (&rows)[LANES]) {
    __m512i other[LANES];
    for (int n = 0; n < LANES; n += 2) {
        other[n] = _mm512_unpacklo_epi32(rows[n], rows[n + 1]);
        other[n + 1] = _mm512_unpackhi_epi32(rows[n], rows[n + 1]);
    }
    for (int n = 0; n < LANES; n += 4)
        for (int i = 0; i < 2; i++) {
            rows[n + 2 * i] = _mm512_unpacklo_epi64(other[n + i], other[n + 2 + i]);
            rows[n + 2 * i + 1] = _mm512_unpackhi_epi64(other[n + i], other[n + 2 + i]);
        }
    for (int n = 0; n < LANES; n += 8)
        for (int i = 0; i < 4; i++) {
            other[n + i] = _mm512_shuffle_i32x4(rows[n + i], rows[n + 4 + i], 0x88);
            other[n + 4 + i] = _mm512_shuffle_i32x4(rows[n + i], rows[n + 4 + i], 0xdd);
        }
    for (int i = 0; i < 8; i++) {
        rows[i] = _mm512_shuffle_i32x4(other[i], other[8 + i], 0x88);
        rows[8 + i] = _mm512_shuffle_i32x4(other[i], other[8 + i], 0xdd);
    }
}

template <int W>
inline void clear(__m512 (&sums)[ROWS][W]) {
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < W; w++) sums[r][w] = _mm512_setzero_ps();
}

struct Keys {  // of one row and key head
    int64_t length, padded, size;
    int32_t *ends, *latest;  // of each key, and the latest of each vector

    Keys(int64_t length, int64_t size, const int32_t* given, Room<int32_t>& room)
        : length(length), padded((length + LANES - 1) / LANES * LANES), size(size),
          ends(room.of(padded + padded / LANES)), latest(ends + padded) {
        std::fill(std::copy(given, given + length, ends), ends + padded, 0);
        for (int64_t v = 0; v * LANES < padded; v++)
            latest[v] = _mm512_reduce_max_epi32(_mm512_loadu_si512(ends + v * LANES));
    }

    // The vectors of which any key is seen by any of the queries first <= t < last.
    int seen(int64_t first, int64_t last, int32_t* found) const {
        int count = 0;
        for (int64_t v = 0; v * LANES < last; v++)
            if (latest[v] > first) found[count++] = int32_t(v);
        return count;
    }

    // Which of a vector's keys are seen by query t.
    __mmask16 visible(int32_t vector, int64_t t) const {
        const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        __m512i key = _mm512_add_epi32(lane, _mm512_set1_epi32(vector * LANES)), query = _mm512_set1_epi32(int(t));
        __mmask16 before = _mm512_cmple_epi32_mask(key, query);
        return _mm512_mask_cmpgt_epi32_mask(before, _mm512_loadu_si512(ends + vector * LANES), query);
    }

    // [padded / LANES][size / 2][LANES]: pairs along the size, keys side by side.
    void across(const Tokens& m, pair* found) const {
        for (int64_t s = 0; s < padded; s += LANES)
            for (int64_t p = 0; p < size / 2; p += LANES) {
                const __mmask16 there = __mmask16(size / 2 - p < LANES ? (1 << (size / 2 - p)) - 1 : 0xffff);
                __m512i rows[LANES];
                for (int n = 0; n < LANES; n++)
                    rows[n] = s + n < length ? _mm512_maskz_loadu_epi32(there, m[s + n] + 2 * p)
                                             : _mm512_setzero_si512();
                transpose(rows);
                for (int n = 0; n < LANES && p + n < size / 2; n++)
                    _mm512_storeu_si512(found + s * (size / 2) + (p + n) * LANES, rows[n]);
            }
    }
};

// [count / 2][size]: pairs of two tokens; past the last of `there`, zeros.
void along(const Tokens& m, int64_t there, int64_t count, int64_t size, pair* found) {
    for (int64_t s = 0; s < count; s += 2)
        for (int64_t i = 0; i < size; i += LANES) {
            __m512i both = _mm512_setzero_si512();
            if (s < there) both = whole(m[s] + i);
            if (s + 1 < there) both = _mm512_or_si512(both, _mm512_slli_epi32(whole(m[s + 1] + i), 16));
            _mm512_storeu_si512(found + s / 2 * size + i, both);
        }
}

// [count][size] a few tokens, turned as they stand from `first` on; past the last of `there`, zeros.
Tokens turned(const Tokens& m, const Turns& turns, int64_t first, int64_t there, int64_t count, int64_t size, half* found) {
    for (int64_t n = 0; n < count; n++) {
        half* to = found + n * size;
        if (n >= there) {
            std::memset(to, 0, size * sizeof(half));
        } else if (!turns.wanted()) {
            std::memcpy(to, m[first + n], size * sizeof(half));
        } else {
            const half *cosine = turns.cosines + (first + n) * size, *sine = turns.sines + (first + n) * size + size / 2;
            for (int64_t i = 0; i < size / 2; i += LANES) {
                __m512 x = wide(m[first + n] + i), y = wide(m[first + n] + i + size / 2);
                __m512 c = wide(cosine + i), s = wide(sine + i);
                narrow(to + i, _mm512_fnmadd_ps(y, s, _mm512_mul_ps(x, c)));
                narrow(to + i + size / 2, _mm512_fmadd_ps(x, s, _mm512_mul_ps(y, c)));
            }
        }
    }
    return {found, size};
}

// Gradients [count][size] of tokens that were turned, turned back, for the tokens from `first` on.
void turn_back(const float* given, const Turns& turns, int64_t first, int64_t count, int64_t size, const Tokens& to) {
    for (int64_t n = 0; n < count; n++, given += size) {
        half* out = to[first + n];
        if (!turns.wanted()) {
            for (int64_t i = 0; i < size; i += LANES) narrow(out + i, _mm512_loadu_ps(given + i));
            continue;
        }
        const half *cosine = turns.cosines + (first + n) * size, *sine = turns.sines + (first + n) * size + size / 2;
        for (int64_t i = 0; i < size / 2; i += LANES) {
            __m512 x = _mm512_loadu_ps(given + i), y = _mm512_loadu_ps(given + i + size / 2);
            __m512 c = wide(cosine + i), s = wide(sine + i);
            narrow(out + i, _mm512_fmadd_ps(y, s, _mm512_mul_ps(x, c)));
            narrow(out + i + size / 2, _mm512_fnmadd_ps(x, s, _mm512_mul_ps(y, c)));
        }
    }
}

template <int W>
void scores_of(const pair* queries, const pair* keys, int64_t size, float* out, int64_t wide) {
    for (int r = 0; r < BLOCK; r += ROWS) {
        __m512 sums[ROWS][W];
        clear(sums);
        multiply<W>(sums, queries + r * size / 2, size / 2, 1, keys, size / 2 * LANES, LANES, size / 2);
        for (int i = 0; i < ROWS; i++)
            for (int w = 0; w < W; w++) _mm512_storeu_ps(out + (r + i) * wide + w * LANES, sums[i][w]);
    }
}

// out [BLOCK][count · LANES] = queries · keysᵀ, for the vectors of keys that are seen. keys: see `across`.
void scores(const pair* queries, const pair* keys, int64_t size, const int32_t* vectors, int count, float* out) {
    const int64_t wide = count * LANES;
    for (int v = 0; v < count;) {
        const pair* from = keys + vectors[v] * (size / 2) * LANES;
        const int run = v + 3 < count && vectors[v + 3] == vectors[v] + 3   ? 4
                        : v + 1 < count && vectors[v + 1] == vectors[v] + 1 ? 2
                                                                            : 1;
        auto* compute = run == 4 ? scores_of<4> : run == 2 ? scores_of<2> : scores_of<1>;
        compute(queries, from, size, out + v * LANES, wide);
        v += run;
    }
}

template <int W>
void combine_of(const pair* weights, const pair* values, int64_t size, const int32_t* vectors, int count, float* out) {
    const int64_t row = int64_t(count) * LANES / 2;
    for (int r = 0; r < BLOCK; r += ROWS) {
        __m512 sums[ROWS][W];
        clear(sums);
        for (int v = 0; v < count; v++) {
            const pair *a = weights + r * row + v * LANES / 2, *b = values + vectors[v] * (LANES / 2) * size;
            multiply<W>(sums, a, row, 1, b, LANES, size, LANES / 2);
        }
        for (int i = 0; i < ROWS; i++)
            for (int w = 0; w < W; w++) _mm512_storeu_ps(out + (r + i) * size + w * LANES, sums[i][w]);
    }
}

// out [BLOCK][size] = weights · values. weights: [BLOCK][count · LANES / 2] pairs. values: of all keys, see `along`.
void combine(const pair* weights, const pair* values, int64_t size, const int32_t* vectors, int count, float* out) {
    int64_t i = 0;
    for (; i + 4 * LANES <= size; i += 4 * LANES) combine_of<4>(weights, values + i, size, vectors, count, out + i);
    for (; i + 2 * LANES <= size; i += 2 * LANES) combine_of<2>(weights, values + i, size, vectors, count, out + i);
    for (; i < size; i += LANES) combine_of<1>(weights, values + i, size, vectors, count, out + i);
}

template <int W>
void spread_of(const pair* weights, const pair* queries, int64_t size, const int32_t* vectors, int count, float* total) {
    for (int v = 0; v < count; v++)
        for (int r = 0; r < LANES; r += ROWS) {
            float* to = total + (vectors[v] * LANES + r) * size;
            __m512 sums[ROWS][W];
            for (int n = 0; n < ROWS; n++)
                for (int w = 0; w < W; w++) sums[n][w] = _mm512_loadu_ps(to + n * size + w * LANES);
            multiply<W>(sums, weights + v * LANES + r, 1, int64_t(count) * LANES, queries, LANES, size, BLOCK / 2);
            for (int n = 0; n < ROWS; n++)
                for (int w = 0; w < W; w++) _mm512_storeu_ps(to + n * size + w * LANES, sums[n][w]);
        }
}

// total [padded][size] += weightsᵀ · queries. weights: [BLOCK / 2][count · LANES] pairs of queries.
void spread(const pair* weights, const pair* queries, int64_t size, const int32_t* vectors, int count, float* total) {
    int64_t i = 0;
    for (; i + 4 * LANES <= size; i += 4 * LANES) spread_of<4>(weights, queries + i, size, vectors, count, total + i);
    for (; i + 2 * LANES <= size; i += 2 * LANES) spread_of<2>(weights, queries + i, size, vectors, count, total + i);
    for (; i < size; i += LANES) spread_of<1>(weights, queries + i, size, vectors, count, total + i);
}

struct Scratch {  // of one thread
    Room<int32_t> keys, vectors;
    Room<half> turned_keys, turned_queries;
    Room<float> scores, slopes, sums, by_key, by_value;
    Room<pair> across, across_too, along, along_queries, along_given, weights, weights_by_key, slopes_by_key;
};

// What one row and key head is made of. `joint` holds queries, keys and values of a token side by side.
struct Piece {
    int64_t row, kv, group, size, length;
    Turns turns;
    const Shape& shape;

    Piece(const Shape& shape, const Turns& all, int64_t number)
        : row(number / shape.kv_heads), kv(number % shape.kv_heads), group(shape.heads / shape.kv_heads),
          size(shape.size), length(shape.length), turns(all), shape(shape) {
        if (turns.wanted() && shape.turned_rows > 1) {
            turns.cosines += row * length * size;
            turns.sines += row * length * size;
        }
    }
    int64_t joint() const { return (shape.heads + 2 * shape.kv_heads) * size; }
    Tokens of(half* m, int64_t head) const { return {m + row * length * joint() + head * size, joint()}; }
    Tokens query(half* m, int64_t head) const { return of(m, head); }
    Tokens key(half* m) const { return of(m, shape.heads + kv); }
    Tokens value(half* m) const { return of(m, shape.heads + shape.kv_heads + kv); }
    Tokens out(half* m, int64_t head) const {
        return {m + (row * length * shape.heads + head) * size, shape.heads * size};
    }
    float* normal(float* m, int64_t head) const { return m + (row * shape.heads + head) * length; }
};

void forwards(const Piece& piece, float scale, half* joint, const int32_t* ends, half* y, float* normals,
              Scratch& scratch) {
    const int64_t size = piece.size, length = piece.length;
    const Keys all(length, size, ends + piece.row * length, scratch.keys);
    pair *keys = scratch.across.of(all.padded * size / 2), *values = scratch.along.of(all.padded * size / 2);
    pair* weights = scratch.weights.of(BLOCK * all.padded / 2);
    half *key_room = scratch.turned_keys.of(length * size), *query_room = scratch.turned_queries.of(BLOCK * size);
    float *found = scratch.scores.of(BLOCK * all.padded), *sums = scratch.sums.of(BLOCK * size);
    int32_t* vectors = scratch.vectors.of(all.padded / LANES);
    all.across(turned(piece.key(joint), piece.turns, 0, length, length, size, key_room), keys);
    along(piece.value(joint), length, all.padded, size, values);
    for (int64_t head = piece.kv * piece.group; head < (piece.kv + 1) * piece.group; head++)
        for (int64_t first = 0; first < length; first += BLOCK) {
            const int64_t last = std::min(first + BLOCK, length);
            const int count = all.seen(first, last, vectors);
            turned(piece.query(joint, head), piece.turns, first, last - first, BLOCK, size, query_room);
            scores(reinterpret_cast<pair*>(query_room), keys, size, vectors, count, found);
            float totals[BLOCK];
            for (int r = 0; r < BLOCK; r++) {
                float* own = found + r * count * LANES;
                half* to = reinterpret_cast<half*>(weights) + r * count * LANES;
                if (first + r >= last) {
                    std::memset(to, 0, count * LANES * sizeof(half));
                    continue;
                }
                __m512 most = _mm512_set1_ps(-INFINITY), total = _mm512_setzero_ps();
                for (int c = 0; c < count; c++) {
                    __m512 s = _mm512_mul_ps(_mm512_loadu_ps(own + c * LANES), _mm512_set1_ps(scale));
                    s = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), all.visible(vectors[c], first + r), s);
                    _mm512_storeu_ps(own + c * LANES, s);
                    most = _mm512_max_ps(most, s);
                }
                const float largest = _mm512_reduce_max_ps(most);
                for (int c = 0; c < count; c++) {
                    __m512 s = _mm512_loadu_ps(own + c * LANES);
                    __mmask16 there = _mm512_cmp_ps_mask(s, _mm512_set1_ps(-INFINITY), _CMP_GT_OQ);
                    s = _mm512_maskz_mov_ps(there, exponential(_mm512_sub_ps(s, _mm512_set1_ps(largest))));
                    total = _mm512_add_ps(total, s);
                    narrow(to + c * LANES, s);
                }
                totals[r] = _mm512_reduce_add_ps(total);
                piece.normal(normals, head)[first + r] = largest + std::log(totals[r]);
            }
            combine(weights, values, size, vectors, count, sums);
            const Tokens out = piece.out(y, head);
            for (int64_t t = first; t < last; t++)
                for (int64_t i = 0; i < size; i += LANES) {
                    __m512 sum = _mm512_loadu_ps(sums + (t - first) * size + i);
                    narrow(out[t] + i, _mm512_div_ps(sum, _mm512_set1_ps(totals[t - first])));
                }
        }
}

void backwards(const Piece& piece, float scale, half* joint, const int32_t* ends, half* y, float* normals, half* by_y,
               half* by_joint, Scratch& scratch) {
    const int64_t size = piece.size, length = piece.length;
    const Keys all(length, size, ends + piece.row * length, scratch.keys);
    const int64_t whole = all.padded * size, part = BLOCK * size / 2, row_part = BLOCK * all.padded / 2;
    pair *keys = scratch.across.of(whole / 2), *values = scratch.across_too.of(whole / 2);
    pair *key_pairs = scratch.along.of(whole / 2), *query_pairs = scratch.along_queries.of(part);
    pair *given_pairs = scratch.along_given.of(part), *by_score = scratch.weights.of(row_part);
    pair *weights_by_key = scratch.weights_by_key.of(row_part), *scores_by_key = scratch.slopes_by_key.of(row_part);
    half *key_room = scratch.turned_keys.of(length * size), *query_room = scratch.turned_queries.of(2 * BLOCK * size);
    float *found = scratch.scores.of(BLOCK * all.padded), *by_weight = scratch.slopes.of(BLOCK * all.padded);
    float *key_total = scratch.by_key.of(whole), *value_total = scratch.by_value.of(whole);
    float* sums = scratch.sums.of(BLOCK * size);
    int32_t* vectors = scratch.vectors.of(all.padded / LANES);
    const Turns still{nullptr, nullptr};
    std::fill(key_total, key_total + whole, 0.f);
    std::fill(value_total, value_total + whole, 0.f);
    const Tokens key = turned(piece.key(joint), piece.turns, 0, length, length, size, key_room);
    all.across(key, keys);
    along(key, length, all.padded, size, key_pairs);
    all.across(piece.value(joint), values);
    for (int64_t head = piece.kv * piece.group; head < (piece.kv + 1) * piece.group; head++)
        for (int64_t first = 0; first < length; first += BLOCK) {
            const int64_t last = std::min(first + BLOCK, length), there = last - first;
            const int count = all.seen(first, last, vectors), row = count * LANES;
            const Tokens query =
                turned(piece.query(joint, head), piece.turns, first, there, BLOCK, size, query_room);
            const Tokens given = turned(piece.out(by_y, head), still, first, there, BLOCK, size, query_room + BLOCK * size);
            const Tokens out = piece.out(y, head);
            along(query, BLOCK, BLOCK, size, query_pairs);
            along(given, BLOCK, BLOCK, size, given_pairs);
            scores(reinterpret_cast<pair*>(query.data), keys, size, vectors, count, found);
            scores(reinterpret_cast<pair*>(given.data), values, size, vectors, count, by_weight);
            for (int r = 0; r < BLOCK; r += 2) {
                float normal[2] = {0, 0}, mean[2] = {0, 0};
                for (int n = 0; n < 2; n++)
                    if (r + n < there) {
                        normal[n] = piece.normal(normals, head)[first + r + n];
                        __m512 sum = _mm512_setzero_ps();
                        for (int64_t i = 0; i < size; i += LANES)
                            sum = _mm512_fmadd_ps(wide(out[first + r + n] + i), wide(given[r + n] + i), sum);
                        mean[n] = _mm512_reduce_add_ps(sum);
                    }
                for (int c = 0; c < count; c++) {
                    __m512 weight[2], slope[2];
                    for (int n = 0; n < 2; n++) {
                        const int64_t place = (r + n) * row + c * LANES;
                        __mmask16 seen = r + n < there ? all.visible(vectors[c], first + r + n) : 0;
                        __m512 s = _mm512_mul_ps(_mm512_loadu_ps(found + place), _mm512_set1_ps(scale));
                        weight[n] = _mm512_maskz_mov_ps(seen, exponential(_mm512_sub_ps(s, _mm512_set1_ps(normal[n]))));
                        __m512 left = _mm512_sub_ps(_mm512_loadu_ps(by_weight + place), _mm512_set1_ps(mean[n]));
                        slope[n] = _mm512_mul_ps(_mm512_mul_ps(weight[n], left), _mm512_set1_ps(scale));
                        narrow(reinterpret_cast<half*>(by_score) + place, slope[n]);
                    }
                    _mm512_storeu_si512(weights_by_key + r / 2 * row + c * LANES, joined(weight[0], weight[1]));
                    _mm512_storeu_si512(scores_by_key + r / 2 * row + c * LANES, joined(slope[0], slope[1]));
                }
            }
            combine(by_score, key_pairs, size, vectors, count, sums);
            turn_back(sums, piece.turns, first, there, size, piece.query(by_joint, head));
            spread(weights_by_key, given_pairs, size, vectors, count, value_total);
            spread(scores_by_key, query_pairs, size, vectors, count, key_total);
        }
    turn_back(key_total, piece.turns, 0, length, size, piece.key(by_joint));
    turn_back(value_total, still, 0, length, size, piece.value(by_joint));
}

}  // namespace

extern "C" int64_t usable() { return 1; }

extern "C" void attend(const Shape* shape, double scale, half* joint, const half* cosines, const half* sines,
                       const int32_t* ends, half* y, float* normals) {
#pragma omp parallel num_threads(shape->threads)
    {
        Scratch scratch;
#pragma omp for schedule(dynamic)
        for (int64_t n = 0; n < shape->rows * shape->kv_heads; n++)
            forwards(Piece(*shape, {cosines, sines}, n), float(scale), joint, ends, y, normals, scratch);
    }
}

extern "C" void attend_back(const Shape* shape, double scale, half* joint, const half* cosines, const half* sines,
                            const int32_t* ends, half* y, float* normals, half* by_y, half* by_joint) {
#pragma omp parallel num_threads(shape->threads)
    {
        Scratch scratch;
#pragma omp for schedule(dynamic)
        for (int64_t n = 0; n < shape->rows * shape->kv_heads; n++)
            backwards(Piece(*shape, {cosines, sines}, n), float(scale), joint, ends, y, normals, by_y,
                      by_joint, scratch);
    }
}

#else

extern "C" int64_t usable() { return 0; }

#endif
