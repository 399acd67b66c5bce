"""ImageNet-C-bar pixel by pixel, written from imagenet_c_bar/corrupt.py, independently of the array code.

Each function takes one (S,S,3) uint8 image, the level and NumPy's legacy generator.
"""

import math

import numpy as np
from numpy.random import RandomState
from scipy.fftpack import ifft2
from scipy.ndimage import gaussian_filter


def per_pixel(side, function):
    return np.array([[function(y, x) for x in range(side)] for y in range(side)])


def clipped(levels):
    return np.clip(levels, 0, 255).astype(np.uint8)


def fourier_noise(side, amplitude, generator):
    power = np.array([[amplitude(math.hypot(x - side / 2, y - side / 2)) for x in range(side)] for y in range(side)])
    phases = generator.uniform(low=0, high=2 * np.pi, size=(side, side // 2))
    mirrored = phases[::-1, ::-1]
    if side % 2 == 0:
        phases = np.hstack([phases, mirrored])
    else:
        column = generator.uniform(low=0, high=2 * np.pi, size=(side // 2, 1))
        phases = np.hstack([phases, np.vstack([column, [[0.0]], column[::-1]]), mirrored])
    spectrum = np.roll(power * (np.cos(phases) + 1j * np.sin(phases)), side // 2, axis=0)
    noise = np.real(ifft2(np.roll(spectrum, side // 2, axis=1)))
    return noise / np.std(noise)


def blue_noise_sample(image, level, generator):
    noise = fourier_noise(len(image), lambda r: r, RandomState(generator.randint(0, 2**32)))
    return clipped(image * (noise > level * 3 / 10 - 2.5).reshape(*noise.shape, 1))


def brownish_noise(image, level, generator):
    own = RandomState(generator.randint(0, 2**32))
    noise = np.dstack([fourier_noise(len(image), lambda r: 1 / (r**2 + 1), own) for _ in range(3)])
    return clipped(image + level * 64 / 10 * noise)


def plasma_noise(image, level, generator):
    side = len(image)
    time, rounds = generator.uniform(0.0, 6 * np.pi), generator.randint(low=4, high=7)
    sharp, scale = generator.uniform(0.5, 1.0), generator.uniform(0.075, 0.2) * side
    strength = level * 64 / 10

    def colour(y, x):
        x, y, state = x / scale, y / scale, np.array([1.0, 1.0, 1.0, 0.0])
        for _ in range(rounds):
            step = np.array(
                [
                    math.cos(y * state[0] - state[3] + time / state[1]),
                    math.sin(x * state[0] - state[3] + time / state[1]),
                ]
            )
            step = step / state[2]
            step = step + 0.3 * np.array([-step[1], step[0]])
            x, y = x + step[0], y + step[1]
            state = state * [1.93, 1.15, 2.25 - sharp, time * state[1]]
        return [math.sin(x - time), math.sin((x + y + math.sin(time)) * 0.5), math.sin(y + time)]

    return clipped((1 - strength / 255) * image + strength * per_pixel(side, colour))


def checkerboard_cutout(image, level, generator):
    side = len(image)
    angle = generator.uniform(0, 2 * np.pi)
    scale = np.maximum(generator.uniform(0.1, 0.25) * side, 1)
    own = RandomState(generator.randint(0, 2**32))
    grid = own.uniform(size=(int(4 * side // scale), int(4 * side // scale))) < level / 10

    def colour(y, x):
        u = (math.cos(angle) * y + math.sin(angle) * x) / scale
        v = (-math.sin(angle) * y + math.cos(angle) * x) / scale
        if int(u % 2) != int(v % 2) or not grid[int(u), int(v)]:
            return image[y, x]
        return [128, 128, 128]

    return clipped(per_pixel(side, colour))


def star(y, x, center, rays, power):
    dy, dx = y - center[0], x - center[1]
    place = (math.atan2(dx, dy) + math.pi) / (2 * math.pi) * len(rays)
    index = int(place)
    part = place - index
    length = rays[index % len(rays)] + part * (rays[(index + 1) % len(rays)] - rays[index % len(rays)])
    glow = (length**2 / (dy**2 + dx**2 + 1e-4)) ** power
    return min(max((1 - (part - 0.5) ** 2) * glow, 0), 1)


def sparkles(image, level, generator):
    side = len(image)
    centers = generator.uniform(0, side, size=(5, 2))
    radius = level * 0.1 / 10 * side
    own = RandomState(generator.randint(0, 2**32))
    counts = generator.randint(low=50, high=200, size=5)
    for center, count in zip(centers, counts, strict=True):
        rays = [max(1, radius + 25 / 100 * radius * own.randn()) for _ in range(count)]
        before = image.astype(np.float32)

        def colour(y, x, center=center, rays=rays, before=before):
            return before[y, x] + star(y, x, center, rays, (100 - 50) / 50) * (255 - before[y, x].astype(float))

        image = per_pixel(side, colour)
    return clipped(image)


def inverse_sparkles(image, level, generator):
    side = len(image)
    center = generator.uniform(0.25, 0.75, size=2) * side
    own = RandomState(generator.randint(0, 2**32))
    radius = 0.25 * side
    rays = [radius + 25 / 100 * radius * own.randn() for _ in range(generator.randint(50, 200))]
    power = level * 65 / 10 / 50
    return clipped(per_pixel(side, lambda y, x: 255 + star(y, x, center, rays, power) * (image[y, x] - 255.0)))


def perlin_noise(image, level, generator):
    side, size = len(image), 256
    own = RandomState(generator.randint(0, 2**32))
    gradients = []
    for _ in range(2 * size + 2):
        vector = (own.randint(low=0, high=2**31, size=2) % (2 * size) - size) / size
        gradients.append(vector / np.linalg.norm(vector))
    table = list(range(2 * size + 2))
    for i in reversed(range(size)):
        j = own.randint(low=0, high=2**31) % size
        table[i], table[j] = table[j], table[i]
    for i in range(size + 2):
        table[size + i], gradients[size + i] = table[i], gradients[i]

    def noise(x, y):
        x0, y0 = int(x + 16 * size), int(y + 16 * size)
        fx, fy = x + 16 * size - x0, y + 16 * size - y0
        corner = {}
        for i in (0, 1):
            for j in (0, 1):
                gradient = gradients[table[table[(x0 + i) % size] + (y0 + j) % size]]
                corner[i, j] = (fx - i) * gradient[0] + (fy - j) * gradient[1]
        sx, sy = fx**2 * (3 - 2 * fx), fy**2 * (3 - 2 * fy)
        a = corner[0, 0] + sx * (corner[1, 0] - corner[0, 0])
        b = corner[0, 1] + sx * (corner[1, 1] - corner[0, 1])
        return 1.5 * (a + sy * (b - a))

    def grey(y, x):
        cell = 32 * side / 224
        value = sum(abs(noise(f * (y / cell), f * (x / cell))) / f for f in (1, 2, 4, 8, 16))
        return [min(max(0.5 * value + 0.5, 0), 1)] * 3

    alpha = level * 0.5 / 10
    return clipped((1 - alpha) * image.astype(np.float32) + 255 * alpha * per_pixel(side, grey))


def cocentric_sine_waves(image, level, generator):
    side = len(image)
    x0, y0 = generator.uniform(0, side, size=2)
    freq, amplitude, width = generator.uniform(0, 10), generator.uniform(0, side / 10), generator.uniform(0, side / 10)

    def ring(y, x):
        wave = math.sin(math.atan2(x - x0, y - y0) * freq) * amplitude
        return [((math.hypot(x - x0, y - y0) + wave) % width) / width - 1 / 2] * 3

    return clipped(image + level * 128 / 10 * per_pixel(side, ring))


def single_frequency_greyscale(image, level, generator):
    first = generator.uniform(-np.pi, np.pi)
    second = generator.uniform(-abs(first), abs(first))
    pair = [(first, second)[i] for i in generator.permutation(2)]
    phase = generator.uniform(0, 2 * np.pi)
    wave = per_pixel(len(image), lambda y, x: [math.sin(x * pair[0] + y * pair[1] + phase)] * 3)
    return clipped(image + level * 196 / 10 * wave)


def caustic_light(y, x, time, size):
    p = (np.array([y, x]) / size) % 1 * 6.28318530718 - 250
    i, c = p.copy(), 1.0
    for n in range(5):
        t = time * (1.0 - (3.5 / (n + 1)))
        i = p + np.array([math.cos(t - i[0]) + math.sin(t + i[1]), math.sin(t - i[1]) + math.cos(t + i[0])])
        across, along = p[0] / (math.sin(i[0] + t) / 0.005), p[1] / (math.cos(i[1] + t) / 0.005)
        c += 1 / math.sqrt(across**2 + along**2)
    return min(max(abs(1.17 - (c / 5) ** 1.4) ** 8.0, 0), 1)


def refracted(normal):
    """Unit vector of light from (0,0,1) behind a surface of refractive index 4, by rotation into its own frame."""
    incident = np.array([0.0, 0.0, 1.0])
    if abs(incident @ normal) >= 1 - 1e-3:
        return incident
    out = math.asin(math.sin(math.acos(incident @ normal)) / 4)
    side = np.cross(incident, normal)
    side /= np.linalg.norm(side)
    frame = np.stack([normal, np.cross(normal, side), side])
    return np.linalg.inv(frame) @ np.array([math.cos(out), math.sin(out), 0.0])


def caustic_refraction(image, level, generator):
    side = len(image)
    time, size = generator.uniform(0.5, 2.0), generator.uniform(0.75, 1.25) * side
    light = gaussian_filter(per_pixel(side, lambda y, x: [caustic_light(y, x, time, size)] * 3), sigma=1)
    scaled = image.astype(np.float32) / 255

    def luma(y, x):
        return light[y, x] @ [0.2126, 0.7152, 0.0722] if 0 <= y < side and 0 <= x < side else 0.0

    def pixel(y, x):
        return scaled[y, x].astype(float) if 0 <= y < side and 0 <= x < side else np.zeros(3)

    def colour(y, x):
        slope = [luma(y + 1, x) - luma(y - 1, x), luma(y, x + 1) - luma(y, x - 1), 1.0]
        offset = np.round(refracted(np.array(slope) / np.linalg.norm(slope)) * (level * 0.5 * side / 10), 3)
        v, u = y + offset[0], x + offset[1]
        t, s = math.floor(v), math.floor(u)
        near = pixel(t, s) * (1 - u + s) + pixel(t, s + 1) * (u - s)
        far = pixel(t + 1, s) * (1 - u + s) + pixel(t + 1, s + 1) * (u - s)
        lit = near * (1 - v + t) + far * (v - t) + (slope[0] - slope[1]) * (level * 2 / 10)
        return np.clip(lit, 0, 1)

    return (per_pixel(side, colour) * 255).astype(np.uint8)
