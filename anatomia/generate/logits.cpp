// What becomes of logits: a token that is drawn, or what the model thinks of one, in one go over each row. Compiled with
// native.cpp, whose vectors it uses. A row is the work of one thread, so bits do not depend on their number.

namespace {

constexpr int64_t LONG = 1024;  // numbers that are added up in 32 bits

// e[i] = exp(x[i] - top) for a row of logits, with zeros up to a whole panel. Returns the greatest, top.
template <class W>
float powers(const W* x, float* e, int64_t V) {
    vec most = all(-INFINITY);
    int64_t i = 0;
    for (; i + LANES <= V; i += LANES) {
        vec one = load(x + i);
        most = choose(one > most, one, most);
    }
    float lanes[LANES];
    store(lanes, most);
    float top = *std::max_element(lanes, lanes + LANES);
    for (; i < V; i++) top = std::max(top, float(x[i]));
    auto power = [](vec below) { return choose(below > -87.0f, exponential(below), vec{}); };
    for (i = 0; i + LANES <= V; i += LANES) store(e + i, power(load(x + i) - top));
    for (int64_t rest = i; rest < padded(V); rest++) e[rest] = rest < V ? float(x[rest]) - top : -INFINITY;
    for (; i < padded(V); i += LANES) store(e + i, power(load(e + i)));
    return top;
}

inline float panel(const float* e) { return sum((load(e) + load(e + 16)) + (load(e + 32) + load(e + 48))); }

template <class F>
void each_row(int64_t rows, int64_t V, int threads, F row) {
#pragma omp parallel num_threads(threads)
    {
        std::vector<float> e(padded(V));
#pragma omp for schedule(static)
        for (int64_t r = 0; r < rows; r++) row(r, e.data());
    }
}

inline void put(float* p, vec v) { store(p, v); }
inline void put(bfloat* p, vec v) {
#if defined(__AVX512BF16__)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh((__m512)v));
#else
    for (int i = 0; i < LANES; i++) p[i] = bfloat(v[i]);
#endif
}

template <class W>
void judge_rows(int64_t rows, int64_t V, W* logits, const int64_t* targets, float* found, float* entropy, int keep,
                int threads) {
    each_row(rows, V, threads, [=](int64_t r, float* e) {
        W* x = logits + r * V;
        float top = powers(x, e, V);
        double total = 0, weighted = 0;
        for (int64_t begun = 0; begun < V; begun += LONG) {
            const int64_t stop = std::min(V, begun + LONG);
            vec sums = {}, products = {};
            int64_t i = begun;
            for (; i + LANES <= stop; i += LANES) {
                vec chance = load(e + i);
                sums += chance;
                // 0 times -infinity, where a token is ruled out, shall be 0
                if (entropy) products += choose(chance > 0.0f, chance * (load(x + i) - top), vec{});
            }
            total += sum(sums), weighted += sum(products);
            for (; i < stop; i++) {
                total += e[i];
                weighted += e[i] > 0 ? e[i] * (float(x[i]) - top) : 0;
            }
        }
        float normal = float(std::log(total));
        found[r] = float(x[targets[r]]) - top - normal;
        if (entropy) entropy[r] = normal - float(weighted / total);
        if (!keep) return;
        float share = float(1 / total);
        int64_t i = 0;
        for (; i + LANES <= V; i += LANES) put(x + i, load(e + i) * share);
        for (; i < V; i++) x[i] = W(e[i] * share);
        x[targets[r]] = W(e[targets[r]] * share - 1);  // before rounding: nearly nothing, where the model is sure
    });
}

}  // namespace

extern "C" {

// One token for each row of logits [rows, V]: the first at which the chances up to it pass the row's number in [0, 1).
void draw(int64_t rows, int64_t V, const float* logits, const double* uniforms, int64_t* ids, float* logprobs,
          int64_t threads) {
    each_row(rows, V, int(threads), [=](int64_t r, float* e) {
        const float* x = logits + r * V;
        float top = powers(x, e, V);
        double total = 0, before = 0;
        for (int64_t p = 0; p < V; p += PANEL) total += panel(e + p);
        double wanted = uniforms[r] * total;
        int64_t p = 0;
        for (; p + PANEL < V; p += PANEL) {
            double after = before + panel(e + p);
            if (after > wanted) break;
            before = after;
        }
        int64_t until = std::min(V, p + PANEL), id = p, last = p;
        for (; id < until; id++) {
            if (e[id] > 0) last = id;
            before += e[id];
            if (before > wanted && e[id] > 0) break;
        }
        ids[r] = id < until ? id : last;  // past the end only by rounding
        logprobs[r] = x[ids[r]] - top - float(std::log(total));
    });
}

// log p of each row's target and, if it is asked for, the entropy of the row; if it is to be kept, the gradient of -log p
// takes the logits' place: the chances, less 1 at the target.
void judge(int64_t rows, int64_t V, void* logits, int64_t bf16, const int64_t* targets, float* found, float* entropy,
           int64_t keep, int64_t threads) {
    if (bf16) judge_rows(rows, V, static_cast<bfloat*>(logits), targets, found, entropy, int(keep), int(threads));
    else judge_rows(rows, V, static_cast<float*>(logits), targets, found, entropy, int(keep), int(threads));
}

}  // extern "C"
