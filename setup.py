"""The files that colcon asks an ament_python package for; everything else is in pyproject.toml.

Licence and Python are here because colcon runs the system's setuptools, whose older versions refuse a licence's name in
pyproject.toml, and because colcon cannot read back the Python that stands there.
"""

from glob import glob

from setuptools import setup

SHARE = "share/robot_agent"

setup(
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/robot_agent"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", glob("launch/*.launch.py")),
        (f"{SHARE}/launch/config", glob("launch/config/*.yaml")),
        ("lib/robot_agent", glob("ros_nodes/executables/*")),
    ],
)
