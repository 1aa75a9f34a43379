"""A frame in, a typed result out: the beginning of a cart's own program."""

from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.model import Model
from fetalclip_edge.phantom import Phantom

drawn = Phantom(seed=7).draw(t_s=0.0)
scale = Scale((drawn.spacing_mm, drawn.spacing_mm), ScaleOrigin.SOURCE)
with Model() as model:
    result = model.session().process(Frame(drawn.pixels, scale=scale))
print(result.plane, *result.measurements, sep="\n")
