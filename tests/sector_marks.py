"""Sectors of the nine Voluson E8 screens in `screens/`, marked by hand.

Corners (x, y) in pixels of the 975 x 735 screen, read off a 50-pixel grid laid over each image
with its dark parts lifted (gamma 0.5). Boxes blacked out for privacy are left out of a mark.
"""

MARKS: dict[str, tuple[tuple[int, int], ...]] = {
    "3VV": ((66, 74), (893, 74), (958, 325), (958, 734), (0, 734), (0, 340)),
    "ABDOMINAL": ((289, 74), (672, 74), (893, 686), (796, 686), (796, 734), (50, 734)),
    "BRAIN-TV": (
        (208, 74), (752, 74), (958, 225), (958, 680), (845, 734), (181, 734), (181, 614),
        (0, 614), (0, 225),
    ),
    "KIDNEYS": ((130, 74), (832, 74), (958, 258), (958, 734), (0, 734), (0, 258)),
    "LIPS": ((243, 74), (716, 74), (958, 418), (958, 734), (0, 734), (0, 418)),
    "LVOT": ((197, 74), (768, 74), (958, 598), (958, 734), (0, 734), (0, 605)),
    "RVOT": ((295, 74), (665, 74), (906, 734), (55, 734)),
    "SPINE-CORONAL": (
        (289, 74), (672, 74), (958, 485), (958, 680), (845, 734), (118, 734), (0, 680), (0, 485),
    ),
    "SPINE-SAGITTAL": (
        (315, 74), (650, 74), (958, 520), (958, 648), (765, 734), (195, 734), (0, 648), (0, 520),
    ),
}  # fmt: skip
