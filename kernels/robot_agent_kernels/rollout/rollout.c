/* The latent rollout on a CPU. rollout/reference.py is the definition; rollout/native.py packs the weights and calls.

   A block of trajectories passes through all steps while its activations stay in the second-level cache. A product is
   made of tiles of MR rows by two vectors of columns, whose sums stay in registers. Weights lie in panels of PANEL
   columns; with 16-bit operands two consecutive inputs lie side by side, so that one 32-bit broadcast feeds both.

   PRECISION 32: float.
   PRECISION 16: bfloat16 products summed in float (AVX512-BF16), or float16 products summed in float16 for at most
                 CHUNK inputs and then in float (AVX512-FP16); which one, HALF_IS_BFLOAT16 says. */

#include <math.h>
#include <stdint.h>
#include <string.h>
#if PRECISION == 16
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#define MR 12
#elif defined(__AVX__)
#define LANES 8
#define MR 6
#else
#define LANES 4
#define MR 6
#endif
#define PANEL (2 * LANES)
#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef float unaligned_floats __attribute__((vector_size(4 * LANES), aligned(4)));

INLINE floats load(const float *from) { return *(const unaligned_floats *)from; }
INLINE void store(float *to, floats value) { *(unaligned_floats *)to = value; }
INLINE floats all(float value) { return value - (floats){}; }
INLINE floats choose(ints condition, floats yes, floats no) {
    return (floats)((condition & (ints)yes) | (~condition & (ints)no));
}
INLINE floats greater(floats a, floats b) { return choose(a > b, a, b); }

#if PRECISION == 16
typedef uint16_t operand;
#define CHUNK 128
#define PAIR 2
#else
typedef float operand;
#define CHUNK 192
#define PAIR 1
#endif

/* ---- elementwise ---- */

/* e^x to 2 ulp: 2^n times a polynomial of the rest; from -87 to 88, clamped beyond. NaN stays NaN. */
INLINE floats exp_of(floats x) {
    floats low = all(-87.3f), high = all(88.3f);
    floats clamped = choose(x < low, low, choose(x > high, high, x)); /* comparisons with NaN are false: NaN passes */
    floats n = clamped * 1.44269504f + 12582912.f;          /* rounds to the nearest integer */
    ints bits = (ints)n << 23;
    n -= 12582912.f;
    floats r = clamped - n * 0.693145752f - n * 1.42860677e-6f;
    floats p = all(1.f / 720);
    p = p * r + 1.f / 120;
    p = p * r + 1.f / 24;
    p = p * r + 1.f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.f;
    p = p * r + 1.f;
    return (floats)((ints)p + bits);
}

INLINE float sum_of(floats x) {
    float part[LANES];
    store(part, x);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) part[i] += part[i + half];
    return part[0];
}

INLINE float max_of(floats x) {
    float max = x[0];
    for (int i = 1; i < LANES; i++) max = x[i] > max || x[i] != x[i] ? x[i] : max;
    return max;
}

enum { RELU, SILU, MISH };

INLINE floats activation(floats x, int kind) {
    if (kind == RELU) return choose(x < 0.f, all(0.f), x); /* NaN stays NaN */
    if (kind == SILU) return x / (1.f + exp_of(-x));
    floats grown = exp_of(choose(x > 40.f, all(40.f), x)) + 1.f;
    return x - 2.f * x / (grown * grown + 1.f);
}

INLINE void store_operands(operand *to, floats value) {
#if PRECISION == 32
    store(to, value);
#elif HALF_IS_BFLOAT16
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh((__m512)value));
#else
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtps_ph((__m512)value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#endif
}

/* Widths are multiples of LANES in memory; `valid` units count, the others are written as zero. */
INLINE floats masked(floats x, int first, int valid) {
    if (first + LANES <= valid) return x;
    for (int i = 0; i < LANES; i++)
        if (first + i >= valid) x[i] = 0;
    return x;
}

static void to_operands(const float *from, int width, operand *to) {
    int i = 0;
    for (; i + LANES <= width; i += LANES) store_operands(to + i, load(from + i));
    float rest[LANES] = {0};
    if (i < width) {
        memcpy(rest, from + i, sizeof(float) * (width - i));
        operand last[LANES];
        store_operands(last, load(rest));
        memcpy(to + i, last, sizeof(operand) * ((width - i + PAIR - 1) / PAIR * PAIR));
    }
}

/* Mean and 1 / standard deviation of a row; two sums each, so that an addition need not wait for the one before. */
INLINE void moments(const float *x, int width, floats *mean, floats *scale) {
    int i = 0;
    floats even = all(0), odd = all(0);
    for (; i + 2 * LANES <= width; i += 2 * LANES) even += load(x + i), odd += load(x + i + LANES);
    for (; i < width; i += LANES) even += masked(load(x + i), i, width);
    *mean = all(sum_of(even + odd) / width);
    even = odd = all(0);
    for (i = 0; i + 2 * LANES <= width; i += 2 * LANES) {
        floats a = load(x + i) - *mean, b = load(x + i + LANES) - *mean;
        even += a * a;
        odd += b * b;
    }
    for (; i < width; i += LANES) {
        floats a = masked(load(x + i) - *mean, i, width);
        even += a * a;
    }
    *scale = all(1.f / sqrtf(sum_of(even + odd) / width + 1e-5f));
}

INLINE void norm_activate_row(const float *x, int width, int kind, operand *to) {
    floats mean, scale;
    moments(x, width, &mean, &scale);
    int i = 0;
    for (; i + LANES <= width; i += LANES) store_operands(to + i, activation((load(x + i) - mean) * scale, kind));
    if (i < width) store_operands(to + i, masked(activation((load(x + i) - mean) * scale, kind), i, width));
}

static void norm_activate(const float *x, int width, int kind, operand *to) {
    if (kind == RELU) norm_activate_row(x, width, RELU, to);
    else if (kind == SILU) norm_activate_row(x, width, SILU, to);
    else norm_activate_row(x, width, MISH, to);
}

/* ---- products ---- */

/* c (rows, PANEL) += a (rows, inputs) b (inputs, PANEL), rows a constant. */
INLINE void tile(const int rows, int inputs, const operand *a, long lda, const operand *b, float *c, long ldc) {
#if PRECISION == 32
    floats sums[MR][2];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) sums[i][0] = load(c + i * ldc), sums[i][1] = load(c + i * ldc + LANES);
    for (int k = 0; k < inputs; k++, b += PANEL) {
        floats left = load(b), right = load(b + LANES);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            floats x = all(a[i * lda + k]);
            sums[i][0] += x * left;
            sums[i][1] += x * right;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) store(c + i * ldc, sums[i][0]), store(c + i * ldc + LANES, sums[i][1]);
#elif HALF_IS_BFLOAT16
    __m512 sums[MR][2];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
        sums[i][0] = _mm512_loadu_ps(c + i * ldc), sums[i][1] = _mm512_loadu_ps(c + i * ldc + LANES);
    for (int k = 0; k < inputs; k += 2, b += 2 * PANEL) {
        __m512bh left = (__m512bh)_mm512_loadu_si512(b), right = (__m512bh)_mm512_loadu_si512(b + PANEL);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            int32_t two;
            memcpy(&two, a + i * lda + k, 4);
            __m512bh x = (__m512bh)_mm512_set1_epi32(two);
            sums[i][0] = _mm512_dpbf16_ps(sums[i][0], x, left);
            sums[i][1] = _mm512_dpbf16_ps(sums[i][1], x, right);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
        _mm512_storeu_ps(c + i * ldc, sums[i][0]), _mm512_storeu_ps(c + i * ldc + LANES, sums[i][1]);
#else
    __m512h sums[MR][2];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = _mm512_setzero_ph();
    for (int k = 0; k < inputs; k += 2, b += 2 * PANEL) {
        __m512h left = _mm512_loadu_ph(b), right = _mm512_loadu_ph(b + PANEL);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            int32_t two;
            memcpy(&two, a + i * lda + k, 4);
            __m512h x = (__m512h)_mm512_set1_epi32(two);
            sums[i][0] = _mm512_fmadd_ph(x, left, sums[i][0]);
            sums[i][1] = _mm512_fmadd_ph(x, right, sums[i][1]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int side = 0; side < 2; side++) { /* each lane holds the sums over even and over odd inputs */
            __m512i both = (__m512i)sums[i][side];
            __m512 even = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(both));
            __m512 odd = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(both, 16)));
            float *to = c + i * ldc + side * LANES;
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), _mm512_add_ps(even, odd)));
        }
#endif
}

#define TILE(n) case n: tile(n, inputs, a, lda, b, c, ldc); break;
static void tile_of(int rows, int inputs, const operand *a, long lda, const operand *b, float *c, long ldc) {
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if MR > 6
        TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
    }
}

static int up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

/* c (rows, outputs) += a (rows, inputs) b, b packed; c has room for whole panels. */
static void product(int rows, int inputs, int outputs, const operand *a, long lda, const operand *b, float *c, long ldc) {
    inputs = up(inputs, PAIR);
    int tiles = (rows + MR - 1) / MR;
    for (int k = 0; k < inputs; k += CHUNK) {
        int chunk = inputs - k < CHUNK ? inputs - k : CHUNK;
        for (int column = 0; column < outputs; column += PANEL)
            for (int t = 0, row = 0; t < tiles; t++) {
                int count = (rows - row + tiles - t - 1) / (tiles - t);
                tile_of(count, chunk, a + row * lda + k, lda, b + (long)column * inputs + (long)k * PANEL,
                        c + row * ldc + column, ldc);
                row += count;
            }
    }
}

/* The same product again and again, for the rate at which this machine can do them. */
void repeat_product(int times, int rows, int inputs, int outputs, const operand *a, const operand *b, float *c) {
    for (int i = 0; i < times; i++) product(rows, inputs, outputs, a, inputs, b, c, outputs);
}

/* ---- networks ---- */

#define LAYERS 8

typedef struct { /* one perceptron; rollout/native.py mirrors it */
    int32_t layers, activation, latent, action, shared;
    int32_t outputs[LAYERS];
    const operand *of_latent, *of_action, *of_shared; /* the first layer by the parts of its input */
    const operand *weights[LAYERS];                   /* of the other layers, from index 1 */
    const float *biases[LAYERS];                      /* room for whole panels */
} Network;

typedef struct {
    int32_t robots, samples, horizon, action_dim, latent, groups, codes, channels, heads, values, bins, terminates;
    int32_t goal, context, widest, first_row, last_row;
    float discount, lowest_log_std, highest_log_std;
    const float *support, *codebook; /* two-hot bins; (codes, channels), or NULL for simplices */
    const Network *dynamics, *reward, *value, *policy, *termination;
    const int32_t *members;
    const float *z0, *actions, *goals, *contexts;
    float *returns, *uncertainty, *final, *scratch;
} Rollout;

#define BLOCK 120 /* rows; a multiple of 12 */

typedef struct { /* of one thread */
    float *outputs;             /* (BLOCK, widest) */
    operand *hidden;            /* (BLOCK, widest) */
    operand *latents, *actions; /* (BLOCK, ...) as operands */
    float *mean, *square;       /* (BLOCK, latent) of the heads */
    float *robot_first;         /* (robots, networks, widest) */
    float *prediction;          /* (widest) */
} Scratch;

/* The first layer's part that all trajectories of a robot share: bias + shared input, and the first latent's. */
static void first_of_robot(const Network *net, const float *shared, const float *latent, operand *room, float *to) {
    memcpy(to, net->biases[0], sizeof(float) * up(net->outputs[0], PANEL));
    if (net->shared) {
        to_operands(shared, net->shared, room);
        product(1, net->shared, net->outputs[0], room, 0, net->of_shared, to, 0);
    }
    if (latent) {
        to_operands(latent, net->latent, room);
        product(1, net->latent, net->outputs[0], room, 0, net->of_latent, to, 0);
    }
}

/* Runs a network on a block of rows; its outputs stand in s->outputs with row stride `widest`. */
static void run(const Rollout *r, const Network *net, const Scratch *s, int begin, int rows, const float *first,
                long first_stride, const operand *latents, const operand *actions) {
    long wide = r->widest;
    for (int i = 0; i < rows; i++)
        memcpy(s->outputs + i * wide, first + (begin + i) / r->samples * first_stride,
               sizeof(float) * up(net->outputs[0], PANEL));
    if (latents)
        product(rows, net->latent, net->outputs[0], latents, up(r->latent, PANEL), net->of_latent, s->outputs, wide);
    if (actions)
        product(rows, net->action, net->outputs[0], actions, up(r->action_dim, PANEL), net->of_action, s->outputs, wide);
    for (int layer = 1; layer < net->layers; layer++) {
        for (int i = 0; i < rows; i++)
            norm_activate(s->outputs + i * wide, net->outputs[layer - 1], net->activation, s->hidden + i * wide);
        for (int i = 0; i < rows; i++)
            memcpy(s->outputs + i * wide, net->biases[layer], sizeof(float) * up(net->outputs[layer], PANEL));
        product(rows, net->outputs[layer - 1], net->outputs[layer], s->hidden, wide, net->weights[layer], s->outputs, wide);
    }
}

/* symexp of the mean bin. */
static float two_hot_mean(const Rollout *r, const float *logits) {
    floats highest = all(-INFINITY), weight = all(0), mean = all(0);
    for (int i = 0; i < r->bins; i += LANES) {
        floats x = load(logits + i);
        for (int l = 0; l < LANES && i + LANES > r->bins; l++)
            if (i + l >= r->bins) x[l] = -INFINITY;
        highest = greater(highest, x);
    }
    floats top = all(max_of(highest));
    for (int i = 0; i < r->bins; i += LANES) {
        floats e = masked(exp_of(load(logits + i) - top), i, r->bins);
        weight += e;
        mean += e * load(r->support + i);
    }
    float bin = sum_of(mean) / sum_of(weight);
    return copysignf(expm1f(fabsf(bin)), bin);
}

/* One head's prediction to a latent (latent), in `to`. */
static void latent_of(const Rollout *r, float *prediction, float *to) {
    int groups = r->groups, codes = r->codes;
    if (!r->codebook) {
        floats mean, scale;
        moments(prediction, r->latent, &mean, &scale);
        for (int i = 0; i < r->latent; i += LANES) store(prediction + i, exp_of((load(prediction + i) - mean) * scale));
    }
    for (int g = 0; g < groups; g += LANES) { /* the members of a group lie `groups` apart */
        floats highest = all(-INFINITY), weight = all(0);
        if (r->codebook) {
            for (int c = 0; c < codes; c++) {
                floats x = load(prediction + c * groups + g);
                highest = greater(highest, x);
            }
            for (int c = 0; c < codes; c++) {
                float *x = prediction + c * groups + g;
                floats e = exp_of(load(x) - highest);
                weight += e;
                float kept[LANES];
                store(kept, e);
                memcpy(x, kept, sizeof(float) * (groups - g < LANES ? groups - g : LANES));
            }
        } else
            for (int c = 0; c < codes; c++) weight += load(prediction + c * groups + g);
        floats scale = 1.f / weight;
        for (int out = 0; out < (r->codebook ? r->channels : codes); out++) {
            floats value = all(0);
            if (r->codebook)
                for (int c = 0; c < codes; c++)
                    value += r->codebook[c * r->channels + out] * load(prediction + c * groups + g);
            else
                value = load(prediction + out * groups + g);
            float kept[LANES];
            store(kept, value * scale);
            memcpy(to + out * groups + g, kept, sizeof(float) * (groups - g < LANES ? groups - g : LANES));
        }
    }
}

/* Floats that prepare_robots leaves for a robot. */
static long of_robot(const Rollout *r) { return (2 * (r->heads + 1) + 1 + r->values) * (long)r->widest; }

static long align(long floats_needed) { return (floats_needed + 15) / 16 * 16 + LANES; }

/* Where each part of the scratch lies; returns the number of floats it takes. With NULL, only counts. */
static long lay_out(const Rollout *r, Scratch *s) {
    long at = 0, wide = r->widest, latent = up(r->latent, PANEL);
    float *base = r->scratch;
#define PART(field, type, count) if (s) s->field = (type)(base + at); at += align(count);
    PART(outputs, float *, BLOCK * wide)
    PART(hidden, operand *, BLOCK * wide)
    PART(latents, operand *, BLOCK * latent)
    PART(actions, operand *, BLOCK * up(r->action_dim, PANEL))
    PART(mean, float *, BLOCK * latent)
    PART(square, float *, BLOCK * latent)
    PART(robot_first, float *, r->robots * of_robot(r))
    PART(prediction, float *, wide)
#undef PART
    return at;
}

int panel_width(void) { return PANEL; }

long rollout_scratch(const Rollout *r) { return lay_out(r, 0); }

/* What all trajectories of a robot share in each first layer: for the dynamics heads and the reward at the first step,
   the same without the first latent, for the policy, and for the drawn Q functions. */
static void prepare_robots(const Rollout *r, const Scratch *s) {
    long wide = r->widest;
    int networks = r->heads + 1;
    for (int robot = r->first_row / r->samples; robot < r->robots && robot * r->samples < r->last_row; robot++) {
        const float *goal = r->goals + robot * r->goal, *context = r->contexts + robot * r->context;
        const float *z0 = r->z0 + robot * r->latent;
        float *to = s->robot_first + robot * of_robot(r);
        for (int n = 0; n < networks; n++) {
            const Network *net = n < r->heads ? r->dynamics + n : r->reward;
            const float *shared = n < r->heads ? context : goal;
            first_of_robot(net, shared, z0, s->hidden, to + n * wide);
            first_of_robot(net, shared, 0, s->hidden, to + (networks + n) * wide);
        }
        first_of_robot(r->policy, goal, 0, s->hidden, to + 2 * networks * wide);
        for (int v = 0; v < r->values; v++)
            first_of_robot(r->value + r->members[v], goal, 0, s->hidden, to + (2 * networks + 1 + v) * wide);
    }
}

/* One step of all dynamics heads for a block of rows: mean and sum of squared distances to it in s, and the mean as
   operands in s->latents. */
static void next_latents(const Rollout *r, const Scratch *s, int begin, int rows, int is_first) {
    long wide = r->widest, latent_stride = up(r->latent, PANEL);
    memset(s->mean, 0, sizeof(float) * rows * latent_stride);
    memset(s->square, 0, sizeof(float) * rows * latent_stride);
    for (int head = 0; head < r->heads; head++) {
        const float *first = s->robot_first + (head + (is_first ? 0 : r->heads + 1)) * wide;
        run(r, r->dynamics + head, s, begin, rows, first, of_robot(r), is_first ? 0 : s->latents, s->actions);
        floats share = all(1.f / (head + 1)); /* running mean and sum of squared distances (Welford 1962) */
        for (int i = 0; i < rows; i++) {
            float *mean = s->mean + i * latent_stride, *square = s->square + i * latent_stride;
            latent_of(r, s->outputs + i * wide, s->prediction);
            for (int u = 0; u < r->latent; u += LANES) {
                floats x = load(s->prediction + u), before = load(mean + u), after = before + (x - before) * share;
                store(mean + u, after);
                store(square + u, load(square + u) + (x - before) * (x - after));
            }
        }
    }
    for (int i = 0; i < rows; i++) to_operands(s->mean + i * latent_stride, r->latent, s->latents + i * latent_stride);
}

/* An even share of the rows that are left, at most BLOCK. */
static int block_of(const Rollout *r, int begin) {
    int left = r->last_row - begin, blocks = (left + BLOCK - 1) / BLOCK;
    return (left + blocks - 1) / blocks;
}

/* Rows first_row to last_row of (robots * samples). */
void rollout(const Rollout *r) {
    Scratch s;
    lay_out(r, &s);
    prepare_robots(r, &s);
    long wide = r->widest, latent_stride = up(r->latent, PANEL), action_stride = up(r->action_dim, PANEL);
    int networks = r->heads + 1;
    for (int begin = r->first_row, rows; begin < r->last_row; begin += rows) {
        rows = block_of(r, begin);
        float weight[BLOCK];
        for (int i = 0; i < rows; i++) weight[i] = 1, r->returns[begin + i] = r->uncertainty[begin + i] = 0;
        for (int step = 0; step < r->horizon; step++) {
            for (int i = 0; i < rows; i++)
                to_operands(r->actions + ((long)(begin + i) * r->horizon + step) * r->action_dim, r->action_dim,
                            s.actions + i * action_stride);
            run(r, r->reward, &s, begin, rows, s.robot_first + (r->heads + (step ? networks : 0)) * wide, of_robot(r),
                step ? s.latents : 0, s.actions);
            for (int i = 0; i < rows; i++) r->returns[begin + i] += weight[i] * two_hot_mean(r, s.outputs + i * wide);
            next_latents(r, &s, begin, rows, step == 0);
            for (int i = 0; i < rows; i++) {
                weight[i] *= r->discount;
                if (r->heads == 1) continue;
                floats sum = all(0);
                for (int u = 0; u < r->latent; u += LANES)
                    sum += masked(load(s.square + i * latent_stride + u), u, r->latent);
                r->uncertainty[begin + i] += sum_of(sum) / (r->heads * r->horizon);
            }
            if (r->terminates) {
                run(r, r->termination, &s, begin, rows, r->termination->biases[0], 0, s.latents, 0);
                for (int i = 0; i < rows; i++) weight[i] *= 1.f / (1.f + expf(s.outputs[i * wide]));
            }
        }
        for (int i = 0; i < rows; i++)
            memcpy(r->final + (long)(begin + i) * r->latent, s.mean + i * latent_stride, sizeof(float) * r->latent);
        run(r, r->policy, &s, begin, rows, s.robot_first + 2 * networks * wide, of_robot(r), s.latents, 0);
        for (int i = 0; i < rows; i++) {
            for (int a = 0; a < r->action_dim; a++) s.prediction[a] = tanhf(s.outputs[i * wide + a]);
            to_operands(s.prediction, r->action_dim, s.actions + i * action_stride);
        }
        for (int v = 0; v < r->values; v++) {
            run(r, r->value + r->members[v], &s, begin, rows, s.robot_first + (2 * networks + 1 + v) * wide, of_robot(r),
                s.latents, s.actions);
            for (int i = 0; i < rows; i++)
                r->returns[begin + i] += weight[i] / r->values * two_hot_mean(r, s.outputs + i * wide);
        }
    }
}

/* The policy rolls itself out: `actions` holds noise (robots, samples, horizon, action_dim) and becomes what it does. */
void policy_trajectories(const Rollout *r, float *actions) {
    Scratch s;
    lay_out(r, &s);
    prepare_robots(r, &s);
    long wide = r->widest, latent_stride = up(r->latent, PANEL), action_stride = up(r->action_dim, PANEL);
    float middle = 0.5f * (r->highest_log_std - r->lowest_log_std);
    for (int begin = r->first_row, rows; begin < r->last_row; begin += rows) {
        rows = block_of(r, begin);
        for (int i = 0; i < rows; i++)
            to_operands(r->z0 + (begin + i) / r->samples * r->latent, r->latent, s.latents + i * latent_stride);
        for (int step = 0; step < r->horizon; step++) {
            run(r, r->policy, &s, begin, rows, s.robot_first + 2 * (r->heads + 1) * wide, of_robot(r), s.latents, 0);
            for (int i = 0; i < rows; i++) {
                const float *mean = s.outputs + i * wide, *raw = mean + r->action_dim;
                float *action = actions + ((long)(begin + i) * r->horizon + step) * r->action_dim;
                for (int a = 0; a < r->action_dim; a++) {
                    float log_std = r->lowest_log_std + middle * (tanhf(raw[a]) + 1);
                    action[a] = tanhf(mean[a] + expf(log_std) * action[a]);
                }
                to_operands(action, r->action_dim, s.actions + i * action_stride);
            }
            if (step + 1 < r->horizon) next_latents(r, &s, begin, rows, step == 0);
        }
    }
}

/* ---- refit ---- */

/* The end of an MPPI iteration for each robot; mppi/refit.py is the definition. actions (candidates, width). */
void refit(int robots, int candidates, int width, int elites, float temperature, float coefficient, float lowest_std,
           float highest_std, const float *actions, const float *returns, const float *uncertainty, float *mean,
           float *std, float *scores, float *weights, float *value, float *disagreement) {
    for (int robot = 0; robot < robots; robot++) {
        const float *gain = returns + (long)robot * candidates, *doubt = uncertainty + (long)robot * candidates;
        const float *action = actions + (long)robot * candidates * width;
        float *score = scores + (long)robot * candidates, *weight = weights + (long)robot * candidates;
        float *m = mean + robot * width, *s = std + robot * width;

        double sum = 0, level = 0, squares = 0;
        for (int i = 0; i < candidates; i++) {
            int finite = isfinite(gain[i]) && isfinite(doubt[i]);
            score[i] = finite ? gain[i] : -INFINITY;
            sum += finite ? gain[i] : 0;
            level += finite ? doubt[i] : 0;
        }
        if (coefficient != 0) {
            for (int i = 0; i < candidates; i++) {
                double away = (score[i] > -INFINITY ? score[i] : 0) - sum / candidates;
                squares += away * away;
            }
            double unit = coefficient * sqrt(squares / candidates) / (level / candidates + 1e-6);
            for (int i = 0; i < candidates; i++)
                if (score[i] > -INFINITY) score[i] += (float)(unit * doubt[i]);
        }

        int kept = 0;
        float best = -INFINITY;
        sum = squares = 0;
        for (int i = 0; i < candidates; i++) { /* an elite has fewer than `elites` before it; the first of equals leads */
            int before = 0;
            for (int j = 0; j < candidates; j++) before += score[j] > score[i] || (score[j] == score[i] && j < i);
            weight[i] = before < elites && score[i] > -INFINITY;
            best = score[i] > best ? score[i] : best;
        }
        for (int i = 0; i < candidates; i++)
            if (weight[i]) kept++, sum += score[i];
        for (int i = 0; i < candidates; i++)
            if (weight[i]) squares += (score[i] - sum / kept) * (score[i] - sum / kept);
        double unit = kept ? temperature * sqrt(squares / kept) + 1e-6 : 1;

        double total = 0;
        for (int i = 0; i < candidates; i++)
            if (weight[i]) total += weight[i] = (float)exp((score[i] - best) / unit);
        memset(m, 0, sizeof(float) * width);
        memset(s, 0, sizeof(float) * width);
        value[robot] = disagreement[robot] = 0;
        for (int i = 0; i < candidates; i++) {
            if (!weight[i]) continue;
            weight[i] /= (float)total;
            value[robot] += weight[i] * score[i];
            disagreement[robot] += weight[i] * doubt[i];
            for (int u = 0; u < width; u++) m[u] += weight[i] * action[(long)i * width + u];
        }
        for (int i = 0; i < candidates; i++)
            for (int u = 0; weight[i] && u < width; u++) {
                float away = action[(long)i * width + u] - m[u];
                s[u] += weight[i] * away * away;
            }
        for (int u = 0; u < width; u++) {
            s[u] = sqrtf(s[u]);
            s[u] = s[u] < lowest_std ? lowest_std : s[u] > highest_std ? highest_std : s[u];
        }
    }
}
