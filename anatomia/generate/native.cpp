// A decoder's forward pass over a cache, for Llama's kind of model, in one call and without temporaries.
//
// Every number is made by one thread in one fixed order: a product's sum runs over its inputs from first to last in 64
// lanes that hold different outputs. So the bits of a row depend neither on the other rows, nor on how prompts are cut
// into calls, nor on the number of threads. Which thread does what is free: each takes the next piece of work, and
// nobody waits for a thread that the system has put aside, unless it holds a piece.
//
// Rows are tokens; any mixture of sequences and positions may stand in a call, as long as a sequence's tokens come in
// order. Matrices [N, K] lie in panels of 64 outputs, [N / 64][K][64], padded with zeros. A block of 64 cached keys is
// such a panel as well, so attention is made of the same products.
//
// Where the processor multiplies pairs of bfloat16 (AVX512-BF16), bfloat16 matrices lie as [N / 64][K / 2][64][2], and what
// they are multiplied with is rounded to bfloat16 too; sums, norms, attention and the stream between blocks are fp32.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <omp.h>
#include <thread>
#include <type_traits>
#include <vector>
#if defined(__SSE__)
#include <immintrin.h>
#endif

namespace {

constexpr int LANES = 16, PANEL = 64, CHUNK = 128, ROWS = 6, GROUP = 4 * ROWS;
constexpr int PATIENCE = 2000;  // looks at unfinished work before letting other threads have the core
#if defined(__AVX512F__)
constexpr int WIDE = 4;  // vectors of a tile: ROWS x WIDE sums and the weights fit the registers
#else
constexpr int WIDE = 1;
#endif

typedef float vec __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t uvec __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t hvec __attribute__((vector_size(32), aligned(2), may_alias));

struct bfloat {
    uint16_t bits;
    bfloat() = default;
    explicit bfloat(float value) {  // to nearest, ties to even
        uint32_t all;
        std::memcpy(&all, &value, 4);
        bits = uint16_t((all + 0x7fff + ((all >> 16) & 1)) >> 16);
    }
    explicit operator float() const {
        uint32_t all = uint32_t(bits) << 16;
        float value;
        std::memcpy(&value, &all, 4);
        return value;
    }
};

inline vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
inline vec load(const bfloat* p) {
#if defined(__AVX512F__)  // one instruction, for which GCC 12 takes four
    uvec wide = (uvec)_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#else
    uvec wide = __builtin_convertvector(*reinterpret_cast<const hvec*>(p), uvec);
#endif
    return (vec)(wide << 16);
}
inline void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
inline vec all(float v) { return vec{v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v}; }
inline vec choose(ivec condition, vec yes, vec no) { return (vec)((condition & (ivec)yes) | (~condition & (ivec)no)); }

inline float sum(vec v) {
    float part[LANES];
    store(part, v);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) part[i] += part[i + half];
    return part[0];
}

inline vec exponential(vec x) {  // relative error below 2e-7 (range reduction and polynomial: Cephes' expf)
    x = choose(x < -87.0f, all(-87.0f), choose(x > 88.0f, all(88.0f), x));
    vec n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
    vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
    vec p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return (vec)((ivec)p + (__builtin_convertvector(n, ivec) << 23));
}

// sums[r][v] = sum over k of x[r][k] * w[k][v]: R rows, V vectors of outputs.
template <class W, int R, int V>
inline void tile(const W* w, int64_t w_stride, const float* x, int64_t x_stride, int64_t K, vec (*sums)[4]) {
    vec s[R][V] = {};
    for (int64_t k = 0; k < K; k++) {
        vec weights[V];
        if (R == 1)  // bound by memory: ask for what comes 2 kB later
            for (int byte = 0; byte < V * LANES * int(sizeof(W)); byte += 64)
                __builtin_prefetch(reinterpret_cast<const char*>(w + k * w_stride) + 2048 + byte);
        for (int v = 0; v < V; v++) weights[v] = load(w + k * w_stride + v * LANES);
        for (int r = 0; r < R; r++) {
            vec value = all(x[r * x_stride + k]);
            for (int v = 0; v < V; v++) s[r][v] += value * weights[v];
        }
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) sums[r][v] = s[r][v];
}

template <class W, int V>
inline void tile_rows(int R, const W* w, int64_t w_stride, const float* x, int64_t x_stride, int64_t K, vec (*sums)[4]) {
    switch (R) {
        case 1: return tile<W, 1, V>(w, w_stride, x, x_stride, K, sums);
        case 2: return tile<W, 2, V>(w, w_stride, x, x_stride, K, sums);
        case 3: return tile<W, 3, V>(w, w_stride, x, x_stride, K, sums);
        case 4: return tile<W, 4, V>(w, w_stride, x, x_stride, K, sums);
        case 5: return tile<W, 5, V>(w, w_stride, x, x_stride, K, sums);
        default: return tile<W, 6, V>(w, w_stride, x, x_stride, K, sums);
    }
}

// The same for any number of vectors up to 4.
template <class W>
inline void product(int R, int V, const W* w, int64_t w_stride, const float* x, int64_t x_stride, int64_t K,
                    vec (*sums)[4]) {
    int v = 0;
    for (; v + WIDE <= V; v += WIDE) {
        vec(*part)[4] = reinterpret_cast<vec(*)[4]>(&sums[0][v]);
        tile_rows<W, WIDE>(R, w + v * LANES, w_stride, x, x_stride, K, part);
    }
    for (; v < V; v++) {
        vec(*part)[4] = reinterpret_cast<vec(*)[4]>(&sums[0][v]);
        tile_rows<W, 1>(R, w + v * LANES, w_stride, x, x_stride, K, part);
    }
}

// The same with pairs: one multiplication of 16 lanes adds two products to each.
#if defined(__AVX512BF16__)
constexpr bool PAIRS = true;

template <int R>
inline void tile_of_pairs(const bfloat* w, const bfloat* x, int64_t x_stride, int64_t K, vec (*sums)[4]) {
    __m512 s[R][4] = {};
    for (int64_t k = 0; k < K; k += 2) {
        __m512bh weights[4];
        if (R == 1)
            for (int v = 0; v < 4; v++) __builtin_prefetch(w + k * PANEL + 1024 + v * 2 * LANES);
        for (int v = 0; v < 4; v++) weights[v] = (__m512bh)_mm512_loadu_si512(w + k * PANEL + v * 2 * LANES);
        for (int r = 0; r < R; r++) {
            int32_t pair;
            std::memcpy(&pair, x + r * x_stride + k, 4);
            __m512bh value = (__m512bh)_mm512_set1_epi32(pair);
            for (int v = 0; v < 4; v++) s[r][v] = _mm512_dpbf16_ps(s[r][v], weights[v], value);
        }
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < 4; v++) sums[r][v] = (vec)s[r][v];
}

inline void product_of_pairs(int R, const bfloat* w, const bfloat* x, int64_t x_stride, int64_t K, vec (*sums)[4]) {
    switch (R) {
        case 1: return tile_of_pairs<1>(w, x, x_stride, K, sums);
        case 2: return tile_of_pairs<2>(w, x, x_stride, K, sums);
        case 3: return tile_of_pairs<3>(w, x, x_stride, K, sums);
        case 4: return tile_of_pairs<4>(w, x, x_stride, K, sums);
        case 5: return tile_of_pairs<5>(w, x, x_stride, K, sums);
        default: return tile_of_pairs<6>(w, x, x_stride, K, sums);
    }
}
#else
constexpr bool PAIRS = false;
inline void product_of_pairs(int, const bfloat*, const bfloat*, int64_t, int64_t, vec (*)[4]) {}
#endif

int64_t padded(int64_t n, int64_t to = PANEL) { return (n + to - 1) / to * to; }

}  // namespace

extern "C" {

struct Layer {
    const void *qkv, *output, *gate_up, *down;
    const float *attention_norm, *feed_norm, *q_norm, *k_norm, *qkv_bias, *output_bias;  // the last four may be null
};

struct Model {
    int64_t layers, width, heads, kv_heads, size, hidden, vocabulary, window, bf16, pairs;  // window 0: none
    double epsilon;
    const void *embedding, *head;  // [vocabulary][width] as it is; panels
    const float *norm, *cosine, *sine;  // [width]; [positions][size / 2]
    const Layer* layer;
};

struct Cache {
    int64_t slots, blocks;  // room for 64 * blocks positions in each slot
    void *keys, *values;    // [layers][slots][blocks][kv_heads][size][64]; [layers][slots][kv_heads][positions][size']
};

}  // extern "C"

namespace {

struct Scratch {
    int64_t width, joint, heads, hidden, room;
    float *x, *qkv, *scores;
    void *h, *attended, *active;  // what matrices are multiplied with: fp32, or bfloat16 in pairs
    int64_t total;

    Scratch(const Model& m, int64_t rows, int64_t blocks, int64_t threads, float* at) {
        width = padded(m.width), joint = padded((m.heads + 2 * m.kv_heads) * m.size);
        heads = m.heads * m.size, hidden = padded(m.hidden), room = blocks * PANEL;
        float* start = at;
        x = at, at += rows * width;
        h = at, at += rows * width;
        qkv = at, at += rows * joint;
        attended = at, at += rows * heads + PANEL;
        active = at, at += rows * hidden;
        scores = at, at += threads * (ROWS * room + PANEL);
        total = at - start;
    }
};

struct alignas(64) Work {  // a phase of the computation, in pieces
    std::atomic<int64_t> taken{0}, done{0};
};

int64_t phases(const Model& m) { return 4 + 8 * m.layers; }  // of a chunk

inline void pause() {
#if defined(__SSE__)
    _mm_pause();
#endif
}

template <class W, class A>  // the kind of the weights and of what they are multiplied with
struct Pass {
    const Model& m;
    const Cache& cache;
    int64_t rows;
    const int64_t *tokens, *positions, *slots, *wanted;
    float* logits;
    Scratch s;
    int thread;
    Work* work;
    A *const h = static_cast<A*>(s.h), *const attended = static_cast<A*>(s.attended);
    A *const active = static_cast<A*>(s.active);

    void run() {
        each_row([&](int64_t r) {
            const W* embedding = static_cast<const W*>(m.embedding) + tokens[r] * m.width;
            for (int64_t i = 0; i < s.width; i++) s.x[r * s.width + i] = i < m.width ? float(embedding[i]) : 0;
        });
        for (int64_t l = 0; l < m.layers; l++) {
            const Layer& layer = m.layer[l];
            normalize(layer.attention_norm);
            matrix(layer.qkv, layer.qkv_bias, h, s.width, m.width, s.qkv, s.joint, s.joint, false);
            each_row([&](int64_t r) { turn_and_keep(layer, l, r); });
            each(rows * m.kv_heads, [&](int64_t i) { attend(l, i / m.kv_heads, i % m.kv_heads); });
            matrix(layer.output, layer.output_bias, attended, s.heads, s.heads, s.x, s.width, s.width, true);
            normalize(layer.feed_norm);
            gated(layer.gate_up);
            matrix(layer.down, nullptr, active, s.hidden, m.hidden, s.x, s.width, s.width, true);
        }
        each(1, [&](int64_t) {  // rows whose logits are wanted move to the front
            for (int64_t r = 0, to = 0; r < rows; r++)
                if (wanted[r] >= 0) std::memmove(s.x + to++ * s.width, s.x + r * s.width, s.width * sizeof(float));
        });
        rows = std::count_if(wanted, wanted + rows, [](int64_t place) { return place >= 0; });
        normalize(m.norm);
        matrix(m.head, nullptr, h, s.width, m.width, logits, m.vocabulary, m.vocabulary, false);
    }

    // All pieces of the next phase, done by whoever is there. When this returns, everybody's are done.
    template <class F>
    void each(int64_t count, F piece) {
        Work& phase = *work++;
        for (int64_t i; (i = phase.taken.fetch_add(1, std::memory_order_relaxed)) < count;) {
            piece(i);
            phase.done.fetch_add(1, std::memory_order_release);
        }
        for (int looks = 0; phase.done.load(std::memory_order_acquire) < count; looks++)
            if (looks < PATIENCE) pause();
            else std::this_thread::yield();
    }

    template <class F>
    void each_row(F piece) {
        each((rows + 7) / 8, [&](int64_t part) {
            for (int64_t r = 8 * part; r < std::min(rows, 8 * part + 8); r++) piece(r);
        });
    }

    // h = x / rms(x) * gain for all rows.
    void normalize(const float* gain) {
        each_row([&](int64_t r) { scale(s.x + r * s.width, h + r * s.width, gain, m.width); });
    }

    template <class T>
    void scale(const float* x, T* y, const float* gain, int64_t size) const {
        vec squares = {};
        int64_t i = 0;
        for (; i + LANES <= size; i += LANES) squares += load(x + i) * load(x + i);
        float rest = 0;
        for (; i < size; i++) rest += x[i] * x[i];
        float factor = 1 / std::sqrt((sum(squares) + rest) / float(size) + float(m.epsilon));
        for (i = 0; i < size; i++) y[i] = T(x[i] * factor * gain[i]);
    }

    // Pieces of a product: a panel of 64 outputs n for up to GROUP rows, in tiles of R rows from r.
    template <class F>
    void panels(int64_t N, F tile) {
        int64_t groups = (rows + GROUP - 1) / GROUP;
        each(groups * padded(N) / PANEL, [&](int64_t i) {
            int64_t start = i % groups * GROUP, until = std::min(rows, start + GROUP);
            for (int64_t r = start; r < until; r += ROWS) tile(i / groups * PANEL, r, int(std::min<int64_t>(ROWS, until - r)));
        });
    }

    void multiply(int R, const W* w, const A* x, int64_t x_stride, int64_t K, vec (*sums)[4]) const {
        if constexpr (std::is_same_v<A, bfloat>) product_of_pairs(R, w, x, x_stride, K, sums);
        else product(R, 4, w, PANEL, x, x_stride, K, sums);
    }

    static void put(A* to, const vec* from, int64_t count) {
        float lanes[PANEL];
        std::memcpy(lanes, from, count * sizeof(float));
        for (int64_t i = 0; i < count; i++) to[i] = A(lanes[i]);
    }

    // y = x Wᵀ + bias, or y += that; x [rows, K], y [rows, N].
    void matrix(const void* weights, const float* bias, const A* x, int64_t x_stride, int64_t K, float* y,
                int64_t y_stride, int64_t N, bool add) {
        const W* w = static_cast<const W*>(weights);
        panels(N, [&](int64_t n, int64_t r, int R) {
            vec sums[ROWS][4];
            multiply(R, w + n * K, x + r * x_stride, x_stride, K, sums);
            for (int i = 0; i < R; i++) {
                float* out = y + (r + i) * y_stride + n;
                for (int v = 0; bias && v < 4; v++) sums[i][v] += load(bias + n + v * LANES);
                if (N - n < PANEL) std::memcpy(out, sums[i], (N - n) * sizeof(float));
                else for (int v = 0; v < 4; v++)
                    store(out + v * LANES, add ? load(out + v * LANES) + sums[i][v] : sums[i][v]);
            }
        });
    }

    // active = silu(h Gᵀ) * (h Uᵀ); panels of G and U take turns.
    void gated(const void* weights) {
        const W* w = static_cast<const W*>(weights);
        panels(s.hidden, [&](int64_t n, int64_t r, int R) {
            const W* gate = w + 2 * n * m.width;
            vec gates[ROWS][4], ups[ROWS][4];
            multiply(R, gate, h + r * s.width, s.width, m.width, gates);
            multiply(R, gate + PANEL * m.width, h + r * s.width, s.width, m.width, ups);
            for (int i = 0; i < R; i++) {
                for (int v = 0; v < 4; v++) ups[i][v] *= gates[i][v] / (1.0f + exponential(-gates[i][v]));
                put(active + (r + i) * s.hidden + n, ups[i], PANEL);
            }
        });
    }

    W* keys(int64_t l, int64_t slot) const {
        return static_cast<W*>(cache.keys) + (l * cache.slots + slot) * cache.blocks * m.kv_heads * m.size * PANEL;
    }

    W* values(int64_t l, int64_t slot, int64_t head) const {
        int64_t size = padded(m.size, LANES) * cache.blocks * PANEL;
        return static_cast<W*>(cache.values) + ((l * cache.slots + slot) * m.kv_heads + head) * size;
    }

    // Norms and rotary positions of a row's queries and keys; keys and values go into the cache.
    void turn_and_keep(const Layer& layer, int64_t l, int64_t r) const {
        int64_t position = positions[r], half = m.size / 2, stride = padded(m.size, LANES);
        const float *cosine = m.cosine + position * half, *sine = m.sine + position * half;
        float shrink = 1 / std::sqrt(float(m.size));
        float* row = s.qkv + r * s.joint;
        for (int64_t head = 0; head < m.heads + m.kv_heads; head++) {
            float* x = row + head * m.size;
            bool query = head < m.heads;
            const float* gain = query ? layer.q_norm : layer.k_norm;
            if (gain) scale(x, x, gain, m.size);
            for (int64_t i = 0; i < half; i++) {
                float a = x[i], b = x[i + half];
                x[i] = (a * cosine[i] - b * sine[i]) * (query ? shrink : 1);
                x[i + half] = (b * cosine[i] + a * sine[i]) * (query ? shrink : 1);
            }
        }
        for (int64_t head = 0; head < m.kv_heads; head++) {
            const float* k = row + (m.heads + head) * m.size;
            W* block = keys(l, slots[r]) + (position / PANEL * m.kv_heads + head) * m.size * PANEL;
            for (int64_t i = 0; i < m.size; i++) block[i * PANEL + position % PANEL] = W(k[i]);
            const float* v = k + m.kv_heads * m.size;
            W* kept = values(l, slots[r], head) + position * stride;
            for (int64_t i = 0; i < m.size; i++) kept[i] = W(v[i]);
            for (int64_t i = m.size; i < stride; i++) kept[i] = W(0.0f);
        }
    }

    // The queries of row r that share one head of keys and values.
    void attend(int64_t l, int64_t r, int64_t head) const {
        int64_t position = positions[r], group = m.heads / m.kv_heads, stride = padded(m.size, LANES);
        int64_t begin = m.window && position >= m.window ? position - m.window + 1 : 0, origin = begin / PANEL * PANEL;
        const W* k = keys(l, slots[r]) + head * m.size * PANEL;
        const W* v = values(l, slots[r], head);
        float* scores = s.scores + thread * (ROWS * s.room + PANEL);
        for (int64_t start = 0; start < group; start += ROWS) {
            int R = int(std::min<int64_t>(ROWS, group - start));
            const float* q = s.qkv + r * s.joint + (head * group + start) * m.size;
            vec most[ROWS], totals[ROWS], sums[ROWS][4];
            for (int i = 0; i < R; i++) most[i] = all(-INFINITY);
            for (int64_t p = origin; p <= position; p += PANEL) {
                product(R, 4, k + p * m.kv_heads * m.size, PANEL, q, m.size, m.size, sums);
                for (int i = 0; i < R; i++)
                    for (int lane = 0; lane < 4; lane++) {
                        ivec at = ivec{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + int32_t(p + lane * LANES);
                        ivec seen = (at >= int32_t(begin)) & (at <= int32_t(position));
                        vec score = choose(seen, sums[i][lane], all(-INFINITY));
                        most[i] = choose(score > most[i], score, most[i]);
                        store(scores + i * s.room + p + lane * LANES, score);
                    }
            }
            for (int i = 0; i < R; i++) {
                float lanes[LANES];
                store(lanes, most[i]);
                vec top = all(*std::max_element(lanes, lanes + LANES));
                totals[i] = vec{};
                for (int64_t p = origin; p <= position; p += LANES) {
                    vec score = load(scores + i * s.room + p);
                    vec weight = choose(score > -INFINITY, exponential(score - top), vec{});
                    totals[i] += weight;
                    store(scores + i * s.room + p, weight);
                }
            }
            for (int64_t part = 0; part < stride; part += PANEL) {
                int V = int(std::min<int64_t>(PANEL, stride - part) / LANES);
                product(R, V, v + begin * stride + part, stride, scores + begin, s.room, position - begin + 1, sums);
                for (int i = 0; i < R; i++) {
                    float factor = 1 / sum(totals[i]);
                    for (int lane = 0; lane < V; lane++) sums[i][lane] *= factor;
                    put(attended + r * s.heads + (head * group + start + i) * m.size + part, sums[i],
                        std::min(m.size - part, V * int64_t(LANES)));
                }
            }
        }
    }
};

template <class W, class A>
void forward(const Model& m, const Cache& cache, int64_t rows, const int64_t* tokens, const int64_t* positions,
             const int64_t* slots, const int64_t* wanted, float* logits, float* scratch, int threads) {
    Scratch s(m, std::min<int64_t>(rows, CHUNK), cache.blocks, threads, scratch);
    std::vector<Work> work((rows + CHUNK - 1) / CHUNK * phases(m));
#pragma omp parallel num_threads(threads)
    {
#if defined(__SSE__)
        unsigned before = _mm_getcsr();
        _mm_setcsr(before | 0x8040);  // tiny numbers count as 0 in every thread alike
#endif
        float* out = logits;
        for (int64_t start = 0; start < rows; start += CHUNK) {
            int64_t count = std::min<int64_t>(CHUNK, rows - start);
            Pass<W, A>{m, cache, count, tokens + start, positions + start, slots + start, wanted + start, out, s,
                    omp_get_thread_num(), work.data() + start / CHUNK * phases(m)}.run();
            for (int64_t r = start; r < start + count; r++) out += wanted[r] >= 0 ? m.vocabulary : 0;
        }
#if defined(__SSE__)
        _mm_setcsr(before);
#endif
    }
}

}  // namespace

extern "C" {

// Whether bfloat16 matrices are multiplied in pairs here.
int64_t has_pairs() { return PAIRS; }

// How many floats of scratch memory `run` needs for so many rows at once.
int64_t scratch_size(const Model* m, int64_t rows, int64_t blocks, int64_t threads) {
    return Scratch(*m, std::min<int64_t>(rows, CHUNK), blocks, threads, nullptr).total;
}

// Reads the tokens into the cache. The logits of the rows with wanted[r] >= 0 are written one after the other.
void run(const Model* m, const Cache* cache, int64_t rows, const int64_t* tokens, const int64_t* positions,
         const int64_t* slots, const int64_t* wanted, float* logits, float* scratch, int64_t threads) {
    auto pass = !m->bf16 ? forward<float, float> : m->pairs ? forward<bfloat, bfloat> : forward<bfloat, float>;
    pass(*m, *cache, rows, tokens, positions, slots, wanted, logits, scratch, int(threads));
}

}  // extern "C"
