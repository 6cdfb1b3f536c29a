"""The op table: every primitive once, by family.  `row` says what a row holds; `TABLE` has them all by name.

row  <-  words  <-  piecewise  <-  arithmetic  <-  powers  <-  trigonometry  <-  special  <-  activations  <-  reductions

A row is public under the name that its family binds it to, here and in `autograd_lite`: there is no second list.
"""

from .activations import *
from .arithmetic import *
from .choice import *
from .piecewise import *
from .powers import *
from .reductions import *
from .row import PUBLIC as PUBLIC
from .row import REAL as REAL
from .row import TABLE as TABLE
from .row import Interval as Interval
from .row import Kink as Kink
from .row import Op as Op
from .row import Pin as Pin
from .special import *
from .trigonometry import *

globals()["__all__"] = sorted({"Op", *PUBLIC})  # not written out: a type checker takes all names above
